import { createRequire } from "node:module";
import type CliTable from "cli-table3";
import pc from "picocolors";
import { stopProgress } from "./progress-bar.js";
import { printable } from "./text.js";

export { formatBytes, formatDuration, formatNumber, formatRate, printable } from "./text.js";

/** Loaded when it is needed: most commands start without it. */
const require = createRequire(import.meta.url);

/** One line of results on stdout. */
export function printLine(text = ""): void {
  stopProgress();
  process.stdout.write(`${text}\n`);
}

/** A result as JSON on stdout; bigints become numbers where those are exact, strings elsewhere. */
export function printJson(value: unknown): void {
  printLine(toJson(value, 2));
}

/** JSON text of an API result. Bigints become numbers where those are exact, strings elsewhere. */
export function toJson(value: unknown, indent?: number): string {
  const plain = (_key: string, item: unknown): unknown => {
    if (typeof item !== "bigint") return item;
    const number = Number(item);
    return Number.isSafeInteger(number) ? number : item.toString();
  };
  return JSON.stringify(value, plain, indent);
}

/** Something that the user should know, on stderr. */
export function printWarning(text: string): void {
  stopProgress();
  process.stderr.write(`${pc.yellow("warning:")} ${printable(text)}\n`);
}

/** A remark on stderr, so that stdout holds results alone. */
export function printNote(text: string): void {
  stopProgress();
  process.stderr.write(`${printable(text)}\n`);
}

export type Align = "left" | "right";

export interface TableOptions {
  /** One per column; "left" where it is missing. Only left-aligned columns (text) are cut to fit. */
  readonly align?: readonly Align[];
  /** Characters in a line; the terminal's by default, without limit where stdout is not a terminal. */
  readonly width?: number;
}

/** A table on stdout, in the manner of llama-bench (it is Markdown). */
export function printTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): void {
  printLine(formatTable(head, rows, { width: terminalWidth(), ...options }));
}

/** Characters in a line of the terminal; without limit where stdout is none. */
export function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns : Infinity;
}

/** Text columns are not cut below this. */
const minTextWidth = 8;

/** The table's lines. Where it is too wide, the widest text column is cut, with an ellipsis. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { align = [], width = Infinity }: TableOptions = {},
): string {
  const cells = [head, ...rows].map((row) => head.map((_, column) => printable(row[column] ?? "")));
  const aligns = head.map((_, column) => align[column] ?? "left");
  const widths = fitWidths(
    head.map((_, column) => Math.max(3, ...cells.map((row) => [...(row[column] ?? "")].length))),
    aligns,
    width,
  );
  const rule = widths.map((cell, column) =>
    aligns[column] === "right" ? `${"-".repeat(cell - 1)}:` : "-".repeat(cell),
  );
  const Table = require("cli-table3") as typeof CliTable;
  const table = new Table({
    chars: plainBorders,
    style: { head: [], border: [], compact: true, "padding-left": 1, "padding-right": 1 },
    colAligns: aligns,
    // cli-table3 counts the padding.
    colWidths: widths.map((cell) => cell + 2),
  });
  table.push(...[cells[0] ?? [], rule, ...cells.slice(1)].map((row) => [...row]));
  return table.toString();
}

const plainBorders = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ mid: "", "mid-mid": "", "left-mid": "", "right-mid": "" },
  ...{ left: "|", middle: "|", right: "|" },
};

function fitWidths(natural: readonly number[], aligns: readonly Align[], limit: number): number[] {
  const widths = [...natural];
  const line = (): number => widths.reduce((sum, cell) => sum + cell + 3, 1);
  while (line() > limit) {
    let widest = -1;
    widths.forEach((cell, column) => {
      const canShrink = aligns[column] === "left" && cell > minTextWidth;
      if (canShrink && cell > (widths[widest] ?? 0)) widest = column;
    });
    if (widest < 0) break;
    widths[widest] = Math.max(minTextWidth, (widths[widest] ?? 0) - 1);
  }
  return widths;
}
