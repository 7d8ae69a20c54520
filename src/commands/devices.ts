import { formatBytes, printJson, printTable } from "./print.js";
import { defineCommand } from "./shared.js";

export const devicesCommand = defineCommand(
  "devices",
  "show what Nibble can compute on",
  (yargs) => yargs,
  async (_argv, { json }) => {
    const { devices } = await import("../run/devices.js");
    const found = await devices();
    if (json) {
      printJson(found);
      return;
    }
    printTable(
      ["device", "name", "ISA", "also", "cores", "memory"],
      found.map(({ backend, name, isa, isas, cores, memoryBytes }) => {
        const others = isas.filter((other) => other !== isa).join(", ");
        return [backend, name, isa, others, String(cores), formatBytes(memoryBytes)];
      }),
      { align: ["left", "left", "left", "left", "right", "right"] },
    );
  },
);
