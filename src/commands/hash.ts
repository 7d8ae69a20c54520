import { printable, printJson, printLine } from "./print.js";
import { callOptions, defineCommand } from "./shared.js";

export const hashCommand = defineCommand(
  "hash <model>",
  "print the sha256 of every tensor, and of them all",
  (yargs) =>
    yargs.positional("model", { type: "string", demandOption: true, describe: "a GGUF file" }),
  async ({ model }, context) => {
    const { hashModel } = await import("../quantize/hash-model.js");
    const report = await hashModel(model, callOptions(context));
    if (context.json) {
      printJson(report);
      return;
    }
    // As sha256sum: a table would be cut to the terminal, and what is cut cannot be compared.
    for (const { sha256, name } of report.tensors) printLine(`${sha256}  ${printable(name)}`);
    printLine(`${report.sha256}  all tensors of ${printable(report.path)}`);
  },
);
