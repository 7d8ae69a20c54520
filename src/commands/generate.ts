import { argumentError } from "../errors.js";
import { engineChoice, engineOptions } from "./engine-option.js";
import { samplingChoice, samplingOptions } from "./sampling-option.js";
import { printJson, printLine } from "./print.js";
import { stopProgress } from "./progress-bar.js";
import { callOptions, defineCommand, integerOption } from "./shared.js";
import { printableText } from "./text.js";

export const generateCommand = defineCommand(
  "generate <model>",
  "let a model continue a text",
  (yargs) =>
    yargs
      .positional("model", { type: "string", demandOption: true, describe: "a GGUF file" })
      .options({
        prompt: {
          alias: "p",
          type: "string",
          demandOption: true,
          requiresArg: true,
          describe: "the text to continue (no chat template is applied)",
        },
        "n-predict": {
          alias: "n",
          type: "number",
          default: 128,
          requiresArg: true,
          describe: "tokens to write at most",
        },
        ...samplingOptions,
        ...engineOptions,
      })
      .example('$0 generate model-Q4_0.gguf -p "Once upon a time" --temp 0', "the likeliest text"),
  async (argv, context) => {
    if (argv.prompt === "") throw argumentError("--prompt", "a text", argv.prompt);
    const { generate } = await import("../run/generate.js");
    const options = {
      ...callOptions(context),
      ...engineChoice(argv),
      ...samplingChoice(argv),
      maxTokens: integerOption("--n-predict", argv["n-predict"]),
    };
    let text = "";
    // Shown with the first piece: where there is an error, stdout stays empty.
    let unsaid = argv.prompt;
    for await (const piece of generate(argv.model, argv.prompt, options)) {
      stopProgress();
      text += piece;
      if (context.json) continue;
      process.stdout.write(printableText(unsaid + piece));
      unsaid = "";
    }
    if (context.json) printJson({ prompt: argv.prompt, text });
    else printLine(printableText(unsaid));
  },
);
