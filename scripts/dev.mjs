// Watches native/ and src/: rebuilds the addon when native code changes, and lets vitest run the tests that a change touches.
import { spawn, spawnSync } from "node:child_process";
import { watch } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const settleMilliseconds = 200;

function build() {
  return (
    spawnSync(process.execPath, ["scripts/build.mjs"], { cwd: root, stdio: "inherit" }).status === 0
  );
}

if (!build()) process.exit(1);
const tests = spawn(
  join(root, "node_modules", ".bin", "vitest"),
  ["watch", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
  },
);
tests.on("exit", (code) => process.exit(code ?? 1));

let timer;
watch(join(root, "native"), { recursive: true }, () => {
  clearTimeout(timer);
  timer = setTimeout(build, settleMilliseconds);
});
