import { basename } from "node:path";
import { NibbleError } from "../errors.js";
import type { ImportanceStatistics, ImportanceWarning } from "../imatrix/statistics.js";
import type { ImportanceMatrix } from "../imatrix/types.js";
import { checkName } from "../sources/new-file.js";
import { defaultOutput } from "./output-name.js";
import {
  formatNumber,
  printable,
  printJson,
  printLine,
  printTable,
  printWarning,
} from "./print.js";
import { callOptions, defineCommand, integerOption, type CommandContext } from "./shared.js";
import { readText } from "./text-file.js";

export const imatrixCommand = defineCommand(
  "imatrix [model]",
  "collect an importance matrix; merge them, convert a legacy .dat, show statistics",
  (yargs) =>
    yargs
      .positional("model", { type: "string", describe: "a GGUF file, to run over a text" })
      .options({
        text: {
          alias: ["f", "file"],
          type: "string",
          requiresArg: true,
          describe: "file with the text (UTF-8) that the model is run over",
        },
        "ctx-size": {
          alias: "c",
          type: "number",
          default: 512,
          requiresArg: true,
          describe: "tokens in a window of the text",
        },
        chunks: { type: "number", requiresArg: true, describe: "windows at most (default: all)" },
        pre: {
          type: "string",
          requiresArg: true,
          describe: "cut text as llama.cpp's pre-tokenizer of that name does",
        },
        "in-file": {
          type: "string",
          array: true,
          requiresArg: true,
          describe: "importance matrix to add, GGUF or .dat (repeatable)",
        },
        output: {
          alias: ["o", "output-file"],
          type: "string",
          requiresArg: true,
          describe: "GGUF to write (default, with a model: NAME-imatrix.gguf)",
        },
        overwrite: {
          type: "boolean",
          default: false,
          describe: "replace the output if it exists",
        },
        "show-statistics": {
          type: "boolean",
          default: false,
          describe: "print a line per tensor: rows seen, means of squares, what was never reached",
        },
      })
      .example("$0 imatrix model-F16.gguf --text calibration.txt", "collects one")
      .example("$0 imatrix --in-file a.gguf --in-file b.gguf -o ab.gguf", "merges two")
      .example("$0 imatrix --in-file old.imatrix.dat -o new.gguf", "makes a GGUF of a .dat")
      .example("$0 imatrix --in-file a.gguf --show-statistics", "shows what a text reached"),
  async (argv, context) => {
    const { signal, json } = context;
    const { inFile = [], overwrite, showStatistics, model } = argv;
    const output =
      argv.output ?? (model === undefined ? undefined : defaultOutput(model, "imatrix"));
    if (inFile.length === 0 && model === undefined)
      throw missing("MODEL", "a model to run, or --in-file with importance matrices to read");
    if (output === undefined && !showStatistics)
      throw missing("--output", "a file to write, or --show-statistics");
    // Before an hour of work, not after it.
    if (output !== undefined) await checkName(output, overwrite);
    const given = await readAll(inFile, signal);
    if (model !== undefined) given.push(await collect(model, argv, context));
    const { mergeImportanceMatrices } = await import("../imatrix/merge.js");
    const matrix = mergeImportanceMatrices(given);
    if (output !== undefined) {
      const { writeImportanceMatrix } = await import("../imatrix/file.js");
      await writeImportanceMatrix(output, matrix, { overwrite });
    }
    const { importanceStatistics, importanceWarnings } = await import("../imatrix/statistics.js");
    const warnings = importanceWarnings(matrix);
    const statistics = showStatistics ? importanceStatistics(matrix) : undefined;
    if (json) {
      const { entries, ...rest } = matrix;
      printJson({ output, ...rest, tensors: entries.length, statistics, warnings });
      return;
    }
    if (statistics !== undefined) printStatistics(statistics);
    printLine(summary(matrix, output));
    printWarnings(warnings);
  },
);

function missing(option: string, expected: string): NibbleError {
  const message = `${option} is missing: give ${expected} (see 'nibble imatrix --help')`;
  return new NibbleError("ERR_ARGUMENT", message, { option, expected });
}

async function readAll(paths: readonly string[], signal: AbortSignal): Promise<ImportanceMatrix[]> {
  const { readImportanceMatrix } = await import("../imatrix/file.js");
  const matrices: ImportanceMatrix[] = [];
  for (const path of paths) matrices.push(await readImportanceMatrix(path, { signal }));
  return matrices;
}

interface CollectArguments {
  readonly text?: string | undefined;
  readonly ctxSize: number;
  readonly chunks?: number | undefined;
  readonly pre?: string | undefined;
}

async function collect(
  model: string,
  { text: path, ctxSize, chunks, pre }: CollectArguments,
  context: CommandContext,
): Promise<ImportanceMatrix> {
  if (path === undefined) throw missing("--text", "a file with text to run the model over");
  const { imatrix } = await import("../run/imatrix.js");
  return imatrix(model, {
    ...callOptions(context),
    text: await readText(path, context.signal),
    contextLength: integerOption("--ctx-size", ctxSize),
    chunks: integerOption("--chunks", chunks),
    dataset: basename(path),
    pre,
  });
}

/** The table fits 80 columns with the names of tensors that models have. */
function printStatistics(statistics: readonly ImportanceStatistics[]): void {
  const { compare } = new Intl.Collator("en", { numeric: true });
  const rows = [...statistics].sort((a, b) => compare(a.name, b.name));
  printTable(
    ["tensor", "rows", "mean", "min", "max", "entropy", "unseen"],
    rows.map((row) => [
      row.name.replace(/\.weight$/, ""),
      countText(row.rows),
      figure(row.mean),
      figure(row.minimum),
      figure(row.maximum),
      row.relativeEntropy.toFixed(3),
      shareText(unseenShare(row)),
    ]),
    { align: ["left", "right", "right", "right", "right", "right", "right"] },
  );
  printLine();
  printLine("mean, min, max: of the squares of a column's inputs; entropy: 1 where all");
  printLine("columns weigh the same; unseen: columns that were always 0, or got no row");
  printLine();
}

/** Share of the columns, over all experts, of which the text says nothing. */
function unseenShare({ columns, experts, ...row }: ImportanceStatistics): number {
  return (row.unreachedExperts * columns + row.unreachedColumns) / (experts * columns);
}

/** A count in at most five characters: 512, 57.3k, 186k, 1.86M. */
function countText(count: number): string {
  const units = ["", "k", "M", "G", "T"];
  let value = count;
  let unit = 0;
  // 999.5 would print as 1000.
  for (; value >= 999.5 && unit < units.length - 1; unit += 1) value /= 1000;
  if (unit === 0) return formatNumber(value);
  return `${value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(value))))}${units[unit] ?? ""}`;
}

/** Three digits in at most six characters, two where there is an exponent: 123, 0.0123, 1.2e-3. */
function figure(value: number): string {
  if (value === 0) return "0";
  if (value >= 0.01 && value < 999.5) return value.toPrecision(3);
  return value.toExponential(1).replace("e+", "e");
}

function shareText(share: number): string {
  if (share === 0) return "0";
  return share < 0.001 ? "<0.1%" : `${(100 * share).toFixed(1)}%`;
}

function summary({ entries, chunks, chunkSize, datasets }: ImportanceMatrix, output?: string) {
  const from = datasets.length === 0 ? "" : ` of ${datasets.join(", ")}`;
  const tensors = entries.length === 1 ? "1 tensor" : `${formatNumber(entries.length)} tensors`;
  const what = `${tensors}, ${formatNumber(chunks)} chunks of ${formatNumber(chunkSize)} tokens`;
  return printable(`${output === undefined ? "" : `${output}: `}${what}${from}`);
}

/** More would push out of sight what they are about; --json has all. */
const shownWarnings = 10;

function printWarnings(warnings: readonly ImportanceWarning[]): void {
  for (const { message } of warnings.slice(0, shownWarnings)) printWarning(message);
  const more = warnings.length - shownWarnings;
  if (more > 0) printWarning(`${more} more of that kind; --json lists all`);
}
