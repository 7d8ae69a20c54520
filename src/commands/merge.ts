import { modelStem } from "./output-name.js";
import { formatBytes, printJson, printLine } from "./print.js";
import { callOptions, defineCommand } from "./shared.js";
import { writeOptions } from "./write-model.js";

export const mergeCommand = defineCommand(
  "merge <model> [output]",
  "make one GGUF of the parts of a split one",
  (yargs) =>
    yargs
      .positional("model", {
        type: "string",
        demandOption: true,
        describe: "a part of a split GGUF; the others lie beside it",
      })
      .positional("output", {
        type: "string",
        describe: "the GGUF to write (default: <name>.gguf in the working directory)",
      })
      .options({ "dry-run": writeOptions["dry-run"], overwrite: writeOptions.overwrite })
      .example("$0 merge model-00001-of-00003.gguf", "writes model.gguf"),
  async (argv, context) => {
    const { mergeModel } = await import("../quantize/merge-model.js");
    const { dryRun, overwrite } = argv;
    const output = argv.output ?? `${modelStem(argv.model)}.gguf`;
    const options = { ...callOptions(context), output, dryRun, overwrite };
    const report = await mergeModel(argv.model, options);
    if (context.json) {
      printJson(report);
      return;
    }
    const does = report.written ? "wrote" : "would write";
    const from = `${report.tensors} tensors of ${report.parts.length} parts`;
    printLine(`${does} ${report.output}: ${formatBytes(report.bytes)}, ${from}`);
  },
);
