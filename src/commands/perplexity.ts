import { readFile } from "node:fs/promises";
import { ioError } from "../errors.js";
import { engineOption, engineOf } from "./engine-option.js";
import { printJson, printLine } from "./print.js";
import { callOptions, defineCommand, integerOption } from "./shared.js";

export const perplexityCommand = defineCommand(
  "perplexity <model>",
  "how well a model foretells a text, in the way of llama-perplexity",
  (yargs) =>
    yargs
      .positional("model", { type: "string", demandOption: true, describe: "a GGUF file" })
      .options({
        text: {
          alias: ["f", "file"],
          type: "string",
          demandOption: true,
          requiresArg: true,
          describe: "file with the text (UTF-8)",
        },
        "ctx-size": {
          alias: "c",
          type: "number",
          default: 512,
          requiresArg: true,
          describe: "tokens in a window, of which the second half is scored",
        },
        chunks: { type: "number", requiresArg: true, describe: "windows at most (default: all)" },
        engine: engineOption,
      })
      .example("$0 perplexity model-Q4_0.gguf --text wiki.test.raw", "over the whole text")
      .example("$0 perplexity model-Q4_0.gguf -f wiki.test.raw --chunks 20", "over its start"),
  async (argv, context) => {
    const { perplexity } = await import("../run/perplexity.js");
    const text = await readText(argv.text, context.signal);
    const report = await perplexity(argv.model, {
      ...callOptions(context),
      engine: engineOf(argv.engine),
      text,
      contextLength: integerOption("--ctx-size", argv["ctx-size"]),
      chunks: integerOption("--chunks", argv.chunks),
    });
    if (context.json) {
      printJson(report);
      return;
    }
    const { chunks, contextLength, seconds, tokensPerSecond } = report;
    const speed = `${seconds.toFixed(1)} s, ${tokensPerSecond.toFixed(0)} tokens/s`;
    printLine(`PPL = ${report.perplexity.toFixed(4)} +/- ${report.standardError.toFixed(5)}`);
    printLine(
      `${chunks} windows of ${contextLength} tokens, ${report.scoredTokens} scored; ${speed}`,
    );
  },
);

async function readText(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(path, { encoding: "utf8", signal });
  } catch (error) {
    throw ioError(error, path, "read the text");
  }
}
