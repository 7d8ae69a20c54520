import type { RecipeName } from "../plan/recipes.js";
import type { EngineName } from "../run/engine.js";
import { formatBytes, printable, printLine, printTable } from "./print.js";

/** One type, taken all the way. */
export interface DemoRow {
  readonly type: RecipeName;
  /** Bytes of the file. */
  readonly bytes: number;
  readonly bitsPerWeight: number;
  readonly perplexity: number;
  readonly standardError: number;
  /** Of the perplexity, against the first row, in percent. */
  readonly changePercent: number;
  readonly promptTokensPerSecond: number;
  readonly generationTokensPerSecond: number;
  /** What the model made of the prompt. */
  readonly sample: string;
}

export interface DemoReport {
  readonly model: string;
  readonly text: string;
  readonly prompt: string;
  readonly engine: EngineName;
  readonly seconds: number;
  readonly rows: readonly DemoRow[];
}

/** The columns: head, cell, and what it means. */
const columns: readonly (readonly [string, (row: DemoRow) => string, string])[] = [
  ["type", (row) => row.type, "how the weights are stored"],
  ["size", (row) => formatBytes(row.bytes), "of the file, with vocabulary and all"],
  ["bits/weight", (row) => row.bitsPerWeight.toFixed(2), "of the tensors, on average"],
  [
    "perplexity",
    (row) => `${row.perplexity.toFixed(3)} ± ${row.standardError.toFixed(3)}`,
    "how surprised the model is by a text it has not seen (less is better), and the standard error",
  ],
  [
    "change",
    (row) => `${row.changePercent < 0 ? "" : "+"}${row.changePercent.toFixed(2)} %`,
    "of the perplexity against the first row: what making it smaller costs",
  ],
  [
    "prompt t/s",
    (row) => row.promptTokensPerSecond.toFixed(0),
    "tokens per second that are read, in one go",
  ],
  [
    "write t/s",
    (row) => row.generationTokensPerSecond.toFixed(0),
    "tokens per second that are generated, one by one",
  ],
];

/** The table, a line on each column, and the samples. */
export function printDemo({ prompt, rows }: DemoReport): void {
  printTable(
    columns.map(([head]) => head),
    rows.map((row) => columns.map(([, cell]) => cell(row))),
    { align: columns.map((_, column) => (column === 0 ? "left" : "right")) },
  );
  printLine();
  for (const [head, , meaning] of columns) printLine(`  ${head.padEnd(12)} ${meaning}`);
  printLine();
  printLine(`"${prompt}" ...`);
  for (const { type, sample } of rows) {
    printLine();
    printLine(wrap(`${type}: ... ${printable(sample.replace(/\s+/g, " ").trim())}`));
  }
}

const textWidth = 78;

/** Words in lines of at most `textWidth` characters. */
export function wrap(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > textWidth) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join("\n");
}
