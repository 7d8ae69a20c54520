import { NibbleError } from "../errors.js";
import type { ImportanceEntry } from "../imatrix/types.js";

/** A tensor of whose columns the matrix knows not all. */
export interface ImportanceGap {
  readonly tensor: string;
  /** Experts that saw no row of the text: their columns all count the same. */
  readonly experts: number;
  /** Columns of the other experts whose input was always 0. */
  readonly columns: number;
}

/** What an importance matrix knows of a model, as far as it is quantized. */
export interface ImportanceCoverage {
  /** Entries of the matrix that were selected. */
  readonly entries: number;
  /** Tensors that are quantized with importance. */
  readonly covered: number;
  /** Names of the tensors that are quantized without, as the matrix has no entry for them. */
  readonly uncovered: readonly string[];
  /** The covered tensors that have experts or columns without data. */
  readonly gaps: readonly ImportanceGap[];
}

/**
 * What the selected `entries`, by the tensors' names in the output, say of the tensors that are `quantized`.
 *
 * @param importance The importance of the columns of the tensors that have one.
 * @throws NibbleError ERR_PLAN where tensors are quantized and the matrix is of none of them.
 */
export function importanceCoverage(
  quantized: readonly string[],
  entries: ReadonlyMap<string, ImportanceEntry>,
  importance: ReadonlyMap<string, Float32Array>,
  selected: number,
): ImportanceCoverage {
  if (quantized.length > 0 && importance.size === 0) {
    const reason = `none of the ${selected} selected entries of the importance matrix is of a tensor that is quantized`;
    const remedy =
      "take the matrix of this model, or leave --imatrix out (see also --include-weights, --exclude-weights)";
    throw new NibbleError("ERR_PLAN", `${quantized[0] ?? ""} ...: ${reason}; ${remedy}`, {
      tensor: quantized[0] ?? "",
      reason,
    });
  }
  const covered = quantized.filter((name) => importance.has(name));
  return {
    entries: selected,
    covered: covered.length,
    uncovered: quantized.filter((name) => !importance.has(name)),
    gaps: covered.flatMap((name) => gapOf(name, entries.get(name)) ?? []),
  };
}

function gapOf(tensor: string, entry: ImportanceEntry | undefined): ImportanceGap | undefined {
  if (entry === undefined) return undefined;
  const { columns: perExpert, counts, sumsOfSquares } = entry;
  const experts = counts.reduce((sum, count) => sum + (count === 0 ? 1 : 0), 0);
  const zeros = sumsOfSquares.reduce((sum, square) => sum + (square === 0 ? 1 : 0), 0);
  // Experts without rows have sums of 0: they are counted as experts alone.
  const columns = zeros - experts * perExpert;
  return experts === 0 && columns === 0 ? undefined : { tensor, experts, columns };
}
