import type { ImportanceEntry, ImportanceMatrix } from "./types.js";

export interface ImportanceMeans {
  /** experts x columns: the mean of x^2; 0 for experts that saw no row. */
  readonly values: Float32Array;
  /** The experts that saw no row. */
  readonly expertsWithoutData: readonly number[];
}

/**
 * Statistics of a tensor's means of squares, over all columns of the experts that saw a row; 0 where none did.
 */
export interface ImportanceStatistics {
  readonly name: string;
  readonly columns: number;
  readonly experts: number;
  /** Input rows seen, by all experts together. */
  readonly rows: number;
  readonly mean: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Standard deviation, of the population. */
  readonly deviation: number;
  /** In bits, of the means as shares of their sum: log2 of their number where all weigh the same. */
  readonly entropy: number;
  /** The entropy as a share, from 0 to 1, of the greatest that it can be. */
  readonly relativeEntropy: number;
  /** Share, from 0 to 1, of columns more than a standard deviation from the mean. */
  readonly outliers: number;
  /** Cosine between these means and those of the same tensor one block before, where there is one of this shape. */
  readonly cosineToPrevious?: number;
  /** Experts that saw no row. */
  readonly unreachedExperts: number;
  /** Columns of the other experts whose input was always 0. */
  readonly unreachedColumns: number;
}

export interface ImportanceWarning {
  readonly tensor: string;
  readonly kind: "tensor" | "experts" | "columns";
  /** How many were never reached. */
  readonly missing: number;
  readonly of: number;
  readonly message: string;
}

/** The mean of squares per expert and column, which is what quantization weights errors with. */
export function importanceMeans(entry: ImportanceEntry): ImportanceMeans {
  const { columns, sumsOfSquares, counts } = entry;
  const values = new Float32Array(sumsOfSquares.length);
  const expertsWithoutData: number[] = [];
  for (const [expert, count] of counts.entries()) {
    if (count === 0) {
      expertsWithoutData.push(expert);
      continue;
    }
    const end = (expert + 1) * columns;
    for (let i = expert * columns; i < end; i += 1) values[i] = (sumsOfSquares[i] ?? 0) / count;
  }
  return { values, expertsWithoutData };
}

/** Statistics per tensor, in the order of the matrix: in substance what `llama-imatrix --show-statistics` prints. */
export function importanceStatistics(matrix: ImportanceMatrix): readonly ImportanceStatistics[] {
  const byName = new Map(matrix.entries.map((entry) => [entry.name, entry]));
  return matrix.entries.map((entry) => {
    const means = importanceMeans(entry).values;
    const before = byName.get(previousBlock(entry.name) ?? "");
    const cosine =
      before === undefined ? undefined : cosineOf(means, importanceMeans(before).values);
    return {
      ...statisticsOf(entry, means),
      ...(cosine === undefined ? {} : { cosineToPrevious: cosine }),
    };
  });
}

function statisticsOf(entry: ImportanceEntry, means: Float32Array): ImportanceStatistics {
  const { name, columns, experts, counts } = entry;
  const unreached = unreachedOf(entry);
  const seen = means.filter((_, i) => (counts[Math.floor(i / columns)] ?? 0) > 0);
  const n = Math.max(1, seen.length);
  const sum = seen.reduce((total, value) => total + value, 0);
  const mean = sum / n;
  let squares = 0;
  let entropy = 0;
  for (const value of seen) {
    squares += (value - mean) ** 2;
    const share = value / sum;
    // Also false for the NaN of a tensor without any value.
    if (share > 0) entropy -= share * Math.log2(share);
  }
  const deviation = Math.sqrt(squares / n);
  const isOutlier = (value: number): boolean => Math.abs(value - mean) > deviation;
  return {
    name,
    columns,
    experts,
    rows: counts.reduce((total, count) => total + count, 0),
    mean,
    minimum: seen.length === 0 ? 0 : seen.reduce((least, value) => Math.min(least, value)),
    maximum: seen.reduce((most, value) => Math.max(most, value), 0),
    deviation,
    entropy,
    relativeEntropy: seen.length === 1 ? 1 : entropy / Math.log2(Math.max(2, n)),
    outliers: seen.filter(isOutlier).length / n,
    unreachedExperts: unreached.experts.length,
    unreachedColumns: unreached.columns,
  };
}

/** The experts that saw no row, and how many columns of the others were always 0. */
function unreachedOf({ columns, sumsOfSquares, counts }: ImportanceEntry) {
  const experts = [...counts.keys()].filter((expert) => counts[expert] === 0);
  const zeros = sumsOfSquares.reduce((total, sum) => total + (sum === 0 ? 1 : 0), 0);
  // Experts without rows have sums of 0: they are counted as experts alone.
  return { experts, columns: zeros - experts.length * columns };
}

/** The name of the same tensor one block before, or undefined. */
function previousBlock(name: string): string | undefined {
  const [, number, rest] = /^blk\.(\d+)(\..*)$/.exec(name) ?? [];
  if (number === undefined || rest === undefined || Number(number) === 0) return undefined;
  return `blk.${Number(number) - 1}${rest}`;
}

/** undefined for unequal lengths, and where one of both is 0 all over. */
function cosineOf(a: Float32Array, b: Float32Array): number | undefined {
  if (a.length !== b.length) return undefined;
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? 0;
    product += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  const norm = Math.sqrt(squaresA) * Math.sqrt(squaresB);
  return norm === 0 ? undefined : product / norm;
}

/** How many numbers of experts a message names. */
const shownExperts = 8;

/** The tensors, experts and columns that the text never reached: quantization knows nothing of what they need. */
export function importanceWarnings(matrix: ImportanceMatrix): readonly ImportanceWarning[] {
  return matrix.entries.flatMap(warningsOf);
}

function warningsOf(entry: ImportanceEntry): readonly ImportanceWarning[] {
  const { name, columns, experts } = entry;
  const unreached = unreachedOf(entry);
  const warning = (kind: ImportanceWarning["kind"], missing: number, of: number, text: string) => ({
    tensor: name,
    kind,
    missing,
    of,
    message: `${name}: ${text}; a longer or more varied text may reach ${missing === 1 ? "it" : "them"}`,
  });
  const missing = unreached.experts.length;
  if (missing === experts) return [warning("tensor", 1, 1, "was never reached")];
  const warnings: ImportanceWarning[] = [];
  if (missing > 0) {
    const more = missing > shownExperts ? ", ..." : "";
    const which = unreached.experts.slice(0, shownExperts).join(", ") + more;
    const text = `${missing} of ${experts} experts never reached (${which})`;
    warnings.push(warning("experts", missing, experts, text));
  }
  if (unreached.columns > 0) {
    const all = (experts - missing) * columns;
    const text = `${unreached.columns} of ${all} columns always 0`;
    warnings.push(warning("columns", unreached.columns, all, text));
  }
  return warnings;
}
