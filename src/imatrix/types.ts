/** What a text showed of the input of one matrix product. Arrays of experts x columns hold an expert's columns together. */
export interface ImportanceEntry {
  /** The weight tensor, such as blk.0.attn_q.weight. */
  readonly name: string;
  /** Length of an input row, and of a row of the weights. */
  readonly columns: number;
  /** 1 for a plain matrix. */
  readonly experts: number;
  /** experts x columns: the sum over all rows of x^2; finite, at least 0. */
  readonly sumsOfSquares: Float32Array;
  /** Per expert: the rows that it saw; finite, at least 0. */
  readonly counts: Float32Array;
  /** experts x columns: the sum over all rows of x; finite. Upstream's files need not have it, the legacy ones cannot. */
  readonly sums?: Float32Array;
}

export interface ImportanceMatrix {
  readonly entries: readonly ImportanceEntry[];
  /** Windows of text that were run. */
  readonly chunks: number;
  /** Tokens in a window. */
  readonly chunkSize: number;
  /** The texts, by what the one who collected them called them. */
  readonly datasets: readonly string[];
}

/** More entries than this are an attack: the largest models have some thousand matrices. */
export const maxEntries = 1 << 16;
/** ggml's limit of a tensor's name, without the NUL. */
export const maxNameBytes = 63;
/** Beyond this a double no longer counts by one. */
const maxCount = Number.MAX_SAFE_INTEGER;

/** What is wrong with an entry, or undefined: the one check behind reading, merging and writing. */
export function entryProblem(entry: ImportanceEntry): string | undefined {
  const { name, columns, experts, sumsOfSquares, counts, sums } = entry;
  if (name === "" || name.includes("\0") || Buffer.byteLength(name) > maxNameBytes)
    return `its name is empty, has a NUL or is longer than ${maxNameBytes} bytes`;
  const sizes = [columns, experts, columns * experts];
  if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0))
    return `its shape ${columns} x ${experts} has no values, or too many`;
  if (counts.length !== experts) return `has ${counts.length} counts for ${experts} experts`;
  for (const values of [sumsOfSquares, sums]) {
    if (values !== undefined && values.length !== columns * experts)
      return `has ${values.length} sums for ${experts} x ${columns} columns`;
  }
  return valueProblem(entry);
}

function valueProblem({ columns, sumsOfSquares, counts, sums }: ImportanceEntry) {
  const badCount = counts.findIndex((count) => !(count >= 0 && count <= maxCount));
  if (badCount >= 0) return `the count of expert ${badCount} is ${counts[badCount] ?? ""}`;
  const badSquare = sumsOfSquares.findIndex((sum) => !(sum >= 0 && sum < Infinity));
  if (badSquare >= 0)
    return `the sum of squares ${badSquare} is ${sumsOfSquares[badSquare] ?? ""}, which no squares sum up to`;
  const badSum = sums?.findIndex((sum) => !Number.isFinite(sum)) ?? -1;
  if (badSum >= 0) return `the sum ${badSum} is ${sums?.[badSum] ?? ""}`;
  for (const [expert, count] of counts.entries()) {
    if (count > 0) continue;
    const [from, to] = [expert * columns, (expert + 1) * columns];
    const reached = (sum: number) => sum !== 0;
    if (sumsOfSquares.subarray(from, to).some(reached) || sums?.subarray(from, to).some(reached))
      return `expert ${expert} has sums, but its count of rows is 0`;
  }
  return undefined;
}
