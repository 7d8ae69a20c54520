import type { BenchReport } from "./bench.js";

/** One test of one model, with llama-bench's names where it has them. */
export interface BenchRow {
  readonly model_filename: string;
  readonly model_type: string;
  readonly model_size: number;
  readonly model_n_params: number;
  readonly engine: string;
  readonly n_threads: number;
  readonly isa: string;
  readonly test: string;
  readonly n_prompt: number;
  readonly n_gen: number;
  readonly n_depth: number;
  readonly repetitions: number;
  readonly avg_ns: number;
  readonly avg_ts: number;
  readonly stddev_ts: number;
  readonly bytes_per_second: number;
  readonly limit_ts: number;
  readonly memory_bytes_per_second: number;
  readonly int8_operations_per_second: number;
  readonly f32_operations_per_second: number;
  readonly load_seconds: number;
  readonly first_token_seconds: number | "";
  readonly logits_hash: string;
  readonly samples_ns: readonly number[];
  readonly samples_ts: readonly number[];
}

export function benchRows(reports: readonly BenchReport[]): readonly BenchRow[] {
  return reports.flatMap((report) =>
    report.results.map((result) => {
      const nanoseconds = result.seconds.map((seconds) => Math.round(seconds * 1e9));
      return {
        model_filename: report.path,
        model_type: report.model,
        model_size: report.weightBytes,
        model_n_params: report.parameters,
        engine: result.engine,
        n_threads: report.threads,
        isa: report.isa,
        test: result.name,
        n_prompt: result.kind === "pp" ? result.tokens : 0,
        n_gen: result.kind === "tg" ? result.tokens : 0,
        n_depth: result.depth ?? 0,
        repetitions: nanoseconds.length,
        avg_ns: Math.round(nanoseconds.reduce((sum, each) => sum + each, 0) / nanoseconds.length),
        avg_ts: result.tokensPerSecond,
        stddev_ts: result.deviation,
        bytes_per_second: result.bytesPerSecond,
        limit_ts: result.limitTokensPerSecond,
        memory_bytes_per_second: report.limits.readBytes,
        int8_operations_per_second: report.limits.int8Operations,
        f32_operations_per_second: report.limits.f32Operations,
        load_seconds: report.loadSeconds[result.engine] ?? 0,
        first_token_seconds: result.firstTokenSeconds ?? "",
        logits_hash: result.logitsHash ?? "",
        samples_ns: nanoseconds,
        samples_ts: result.seconds.map((seconds) => result.tokens / seconds),
      };
    }),
  );
}

type Cell = BenchRow[keyof BenchRow];

/** The forms that can be parsed; the Markdown table is the terminal's and made by the command. */
export const benchFormats: Readonly<Record<string, (rows: readonly BenchRow[]) => string>> = {
  json: (rows) => JSON.stringify(rows, null, 2),
  jsonl: (rows) => rows.map((row) => JSON.stringify(row)).join("\n"),
  csv: (rows) => [heads(rows), ...rows.map((row) => cells(row).map(csvCell).join(","))].join("\n"),
  sql: (rows) => [createTable(rows), ...rows.map(insert)].join("\n"),
};

function cells(row: BenchRow): readonly Cell[] {
  return Object.values(row) as readonly Cell[];
}

function heads([row]: readonly BenchRow[]): string {
  return Object.keys(row ?? {}).join(",");
}

/** Lists as JSON. */
function plain(cell: Cell): string | number {
  return typeof cell === "object" ? JSON.stringify(cell) : cell;
}

function csvCell(cell: Cell): string {
  const value = plain(cell);
  return typeof value === "number" ? String(value) : `"${value.replaceAll('"', '""')}"`;
}

function sqlCell(cell: Cell): string {
  const value = plain(cell);
  return typeof value === "number" ? String(value) : `'${value.replaceAll("'", "''")}'`;
}

function createTable([row]: readonly BenchRow[]): string {
  const columns = Object.entries(row ?? {}).map(([name, cell]) => {
    const type = typeof cell !== "number" ? "TEXT" : Number.isInteger(cell) ? "INTEGER" : "REAL";
    return `  ${name} ${type}`;
  });
  return `CREATE TABLE IF NOT EXISTS nibble_bench (\n${columns.join(",\n")}\n);`;
}

function insert(row: BenchRow): string {
  const names = Object.keys(row).join(", ");
  return `INSERT INTO nibble_bench (${names}) VALUES (${cells(row).map(sqlCell).join(", ")});`;
}
