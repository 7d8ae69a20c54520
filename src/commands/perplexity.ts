import type { DivergenceReport, Estimate } from "../run/divergence.js";
import { engineChoice, engineOptions } from "./engine-option.js";
import { printJson, printLine, printTable } from "./print.js";
import { callOptions, defineCommand, integerOption } from "./shared.js";
import { readText } from "./text-file.js";

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
        reference: {
          alias: "r",
          type: "string",
          requiresArg: true,
          describe: "a GGUF to compare with: how far the predictions diverge from its own",
        },
        "save-reference": {
          type: "string",
          requiresArg: true,
          describe: "keep the model's predictions in a file, to compare others with later",
        },
        "load-reference": {
          type: "string",
          requiresArg: true,
          describe: "compare with the predictions in such a file",
        },
        "reference-tokens": {
          type: "number",
          default: 256,
          requiresArg: true,
          describe: "most probable tokens that --save-reference keeps of each position",
        },
        overwrite: {
          type: "boolean",
          default: false,
          describe: "--save-reference may replace a file",
        },
        ...engineOptions,
      })
      .example("$0 perplexity model-Q4_0.gguf --text wiki.test.raw", "over the whole text")
      .example("$0 perplexity model-Q4_0.gguf -f wiki.test.raw -r model-F16.gguf", "and KLD"),
  async (argv, context) => {
    const { perplexity } = await import("../run/perplexity.js");
    const text = await readText(argv.text, context.signal);
    const report = await perplexity(argv.model, {
      ...callOptions(context),
      ...engineChoice(argv),
      text,
      contextLength: integerOption("--ctx-size", argv["ctx-size"]),
      chunks: integerOption("--chunks", argv.chunks),
      reference: argv.reference,
      saveReference: argv["save-reference"],
      loadReference: argv["load-reference"],
      referenceTokens: integerOption("--reference-tokens", argv["reference-tokens"]),
      overwrite: argv.overwrite,
    });
    if (context.json) {
      printJson(report);
      return;
    }
    const { chunks, contextLength, seconds, tokensPerSecond, divergence } = report;
    const speed = `${seconds.toFixed(1)} s, ${tokensPerSecond.toFixed(0)} tokens/s`;
    printLine(`PPL = ${report.perplexity.toFixed(4)} +/- ${report.standardError.toFixed(5)}`);
    if (divergence !== undefined) printDivergence(divergence);
    printLine(
      `${chunks} windows of ${contextLength} tokens, ${report.scoredTokens} scored; ${speed}`,
    );
  },
);

function printDivergence(report: DivergenceReport): void {
  const { kld, probabilityChange, sameTop, referencePerplexity, perplexityRatio } = report;
  const percent = ({ value, standardError }: Estimate): string =>
    `${(100 * value).toFixed(3)} ± ${(100 * standardError).toFixed(3)} %`;
  const estimate = ({ value, standardError }: Estimate): string =>
    `${value.toFixed(6)} ± ${standardError.toFixed(6)}`;
  printTable(
    ["against the reference", "value"],
    [
      ["its perplexity", estimate(referencePerplexity)],
      ["ratio of perplexities", estimate(perplexityRatio)],
      ["mean KLD", estimate(kld.mean)],
      ["median KLD", kld.median.toFixed(6)],
      ["90 % of KLD below", kld.percentile90.toFixed(6)],
      ["95 %", kld.percentile95.toFixed(6)],
      ["99 %", kld.percentile99.toFixed(6)],
      ["99.9 %", kld.percentile999.toFixed(6)],
      ["maximum KLD", kld.maximum.toFixed(6)],
      ["same top token", percent(sameTop)],
      ["mean change of probability", percent(probabilityChange.mean)],
      ["RMS change of probability", percent(probabilityChange.rms)],
    ],
    { align: ["left", "right"] },
  );
}
