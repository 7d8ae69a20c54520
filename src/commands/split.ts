import { argumentError } from "../errors.js";
import { modelStem } from "./output-name.js";
import { formatBytes, formatNumber, printJson, printLine, printTable } from "./print.js";
import { callOptions, defineCommand, integerOption } from "./shared.js";
import { writeOptions } from "./write-model.js";

/** Decimal, as in upstream. */
const sizeUnits: Readonly<Record<string, number>> = { M: 1e6, G: 1e9 };

export const splitCommand = defineCommand(
  "split <model> [prefix]",
  "make a split GGUF of one file: PREFIX-00001-of-00003.gguf ...",
  (yargs) =>
    yargs
      .positional("model", { type: "string", demandOption: true, describe: "a GGUF file" })
      .positional("prefix", {
        type: "string",
        describe: "path of the parts (default: the model's name in the working directory)",
      })
      .options({
        "split-max-size": {
          type: "string",
          requiresArg: true,
          describe: "most that a part holds: 500M, 2G",
        },
        "split-max-tensors": {
          type: "number",
          requiresArg: true,
          describe: "most tensors in a part (default: 128)",
        },
        "dry-run": writeOptions["dry-run"],
        overwrite: { ...writeOptions.overwrite, describe: "replace parts that exist" },
      })
      .conflicts("split-max-size", "split-max-tensors")
      .example("$0 split model-Q8_0.gguf --split-max-size 2G", "writes model-Q8_0-00001-of-..."),
  async (argv, context) => {
    const maxBytes = sizeOption(argv.splitMaxSize);
    const maxTensors = integerOption("--split-max-tensors", argv.splitMaxTensors);
    const { splitModel } = await import("../quantize/split-model.js");
    const { dryRun, overwrite } = argv;
    const prefix = argv.prefix ?? modelStem(argv.model);
    const options = { ...callOptions(context), prefix, maxBytes, maxTensors, dryRun, overwrite };
    const report = await splitModel(argv.model, options);
    if (context.json) {
      printJson(report);
      return;
    }
    printTable(
      ["file", "tensors", "bytes"],
      report.parts.map((part) => [part.path, formatNumber(part.tensors), formatNumber(part.bytes)]),
      { align: ["left", "right", "right"] },
    );
    const does = report.written ? "wrote" : "would write";
    printLine();
    printLine(`${does} ${report.parts.length} files, ${formatBytes(report.bytes)}`);
  },
);

function sizeOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, digits, unit = ""] = /^(\d+)([MG])$/i.exec(text) ?? [];
  const bytes = Number(digits) * (sizeUnits[unit.toUpperCase()] ?? NaN);
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw argumentError(
    "--split-max-size",
    "a number of megabytes or gigabytes, as 500M or 2G",
    text,
  );
}
