{
  "targets": [
    {
      "target_name": "nibble",
      "type": "none",
      "actions": [
        {
          "action_name": "build",
          "inputs": [],
          "outputs": ["build/Release/nibble.node"],
          "action": ["node", "scripts/build.mjs"]
        }
      ]
    }
  ]
}
