import { formatError, parseHeader, type Cursor } from "../sources/byte-source.js";
import {
  entryProblem,
  maxEntries,
  maxNameBytes,
  type ImportanceEntry,
  type ImportanceMatrix,
} from "./types.js";

/** Length of the name, a byte of it, calls, number of values, a value. */
const minEntryBytes = 4 + 1 + 4 + 4 + 4;
const maxDatasetBytes = 1 << 16;

/**
 * Reads a legacy `.dat`, all numbers little-endian: i32 entries; for each i32 length, name, i32 calls (chunks), i32 n,
 * n f32 (mean of squares x calls); then, in later files, i32 chunks, i32 length, name of the text.
 *
 * The file knows neither experts (all columns of all experts are one row here) nor the tokens in a chunk: counts and sums
 * are multiplied by `chunkSize`, so that they can be merged with those of newer files. The means do not depend on it.
 *
 * @throws NibbleError ERR_FORMAT, ERR_IO; `signal.reason` on abort.
 */
export async function readImatrixDat(
  path: string,
  chunkSize: number,
  signal: AbortSignal | undefined,
): Promise<ImportanceMatrix> {
  return parseHeader(path, (cursor) => parseDat(cursor, chunkSize), signal);
}

function parseDat(cursor: Cursor, chunkSize: number): ImportanceMatrix {
  const count = cursor.remaining < 4 ? 0 : i32(cursor, "number of entries");
  if (count < 1 || count > Math.min(maxEntries, cursor.remaining / minEntryBytes)) {
    const problem = `no importance matrix: neither begins with GGUF nor can a .dat have ${count} entries in ${cursor.fileBytes} bytes`;
    throw formatError(cursor.path, "file", problem, 0);
  }
  const entries: ImportanceEntry[] = [];
  const names = new Set<string>();
  let mostCalls = 0;
  for (let i = 0; i < count; i += 1) {
    const start = cursor.position;
    const { entry, calls } = readEntry(cursor, i, chunkSize);
    const problem = names.has(entry.name) ? "stands there twice" : entryProblem(entry);
    if (problem !== undefined) throw cursor.damaged(`entry ${entry.name}`, problem, start);
    names.add(entry.name);
    entries.push(entry);
    mostCalls = Math.max(mostCalls, calls);
  }
  // The first files ended here.
  if (cursor.remaining === 0) return { entries, chunks: mostCalls, chunkSize, datasets: [] };
  const chunks = countOf(cursor, "number of chunks", 0, 2 ** 31);
  const dataset = readText(cursor, "name of the text", 0, maxDatasetBytes);
  if (cursor.remaining > 0)
    throw cursor.damaged("file", `goes on for ${cursor.remaining} bytes after its end`);
  return { entries, chunks, chunkSize, datasets: dataset === "" ? [] : [dataset] };
}

function readEntry(
  cursor: Cursor,
  index: number,
  chunkSize: number,
): { entry: ImportanceEntry; calls: number } {
  const name = readText(cursor, `name of entry ${index}`, 1, maxNameBytes);
  const calls = countOf(cursor, `calls of ${name}`, 0, 2 ** 31);
  const columns = countOf(cursor, `number of values of ${name}`, 1, 2 ** 28);
  const bytes = cursor.take(columns * 4, `values of ${name}`);
  const sumsOfSquares = new Float32Array(columns);
  new Uint8Array(sumsOfSquares.buffer).set(bytes);
  // Values of no calls are the means themselves: upstream divides by nothing there.
  const rows = calls === 0 && sumsOfSquares.some((value) => value > 0) ? 1 : calls;
  for (const [i, value] of sumsOfSquares.entries()) sumsOfSquares[i] = value * chunkSize;
  const counts = Float32Array.of(rows * chunkSize);
  return { entry: { name, columns, experts: 1, sumsOfSquares, counts }, calls };
}

function i32(cursor: Cursor, field: string): number {
  return cursor.take(4, field).readInt32LE();
}

function countOf(cursor: Cursor, field: string, least: number, most: number): number {
  const count = i32(cursor, field);
  if (count < least || count > most)
    throw cursor.damaged(field, `is ${count}, not ${least} to ${most}`, cursor.position - 4);
  return count;
}

function readText(cursor: Cursor, field: string, least: number, most: number): string {
  const bytes = countOf(cursor, `length of the ${field}`, least, most);
  return cursor.take(bytes, field).toString("utf8");
}
