import { NibbleError } from "../errors.js";
import type { ImportanceEntry, ImportanceMatrix } from "../imatrix/types.js";
import type { MetadataEntry, TensorInfo } from "../sources/model-info.js";
import { roleOf } from "./roles.js";

/** Which entries of an importance matrix count. */
export interface ImportanceSelection {
  /** Only entries whose name contains one of these texts. */
  readonly includeWeights?: readonly string[] | undefined;
  /** No entries whose name contains one of these texts. */
  readonly excludeWeights?: readonly string[] | undefined;
}

/** The entries that count, by tensor. */
export function selectEntries(
  { entries }: ImportanceMatrix,
  { includeWeights = [], excludeWeights = [] }: ImportanceSelection,
): ReadonlyMap<string, ImportanceEntry> {
  const contains = (name: string, texts: readonly string[]) =>
    texts.some((text) => name.includes(text));
  const counts = ({ name }: ImportanceEntry) =>
    !contains(name, excludeWeights) &&
    (includeWeights.length === 0 || contains(name, includeWeights));
  return new Map(entries.filter(counts).map((entry) => [entry.name, entry]));
}

/**
 * How much each column of a tensor counts: the mean square of its inputs, expert by expert. Columns of an expert that saw
 * no row count 1: nothing is known of them, and zeros would make the weights garbage.
 *
 * @returns experts x columns, or undefined for an embedding of another shape, which such a matrix never fits.
 * @throws NibbleError ERR_PLAN where the entry is of another shape: then the matrix is of another model.
 */
export function columnImportance(
  { name, shape }: TensorInfo,
  { columns, experts, sumsOfSquares, counts }: ImportanceEntry,
): Float32Array | undefined {
  const [perRow = 1, , matrices = 1] = shape;
  // A legacy file has the columns of all experts in one row.
  if (columns * experts !== perRow * matrices) {
    if (roleOf(name) === "token_embd") return undefined;
    const reason = `the importance matrix has ${experts} x ${columns} columns for it, and it has ${matrices} x ${perRow}`;
    throw new NibbleError("ERR_PLAN", `${name}: ${reason}; take the matrix of this model`, {
      tensor: name,
      reason,
    });
  }
  return sumsOfSquares.map((sum, i) => {
    const count = counts[Math.floor(i / columns)] ?? 0;
    return count > 0 ? sum / count : 1;
  });
}

/** What a file says of the matrix that it was quantized with; no paths, which are nobody's business. */
export function importanceMetadata(
  { chunks, datasets }: ImportanceMatrix,
  entries: number,
  file: string | undefined,
): readonly MetadataEntry[] {
  const [dataset] = datasets;
  return [
    ...(file === undefined ? [] : [text("file", nameOf(file))]),
    ...(dataset === undefined ? [] : [text("dataset", nameOf(dataset))]),
    { key: "quantize.imatrix.entries_count", type: "u32", value: entries },
    ...(chunks > 0
      ? [{ key: "quantize.imatrix.chunks_count", type: "u32" as const, value: chunks }]
      : []),
  ];
}

/** A path's last part, whatever system it is of. */
function nameOf(path: string): string {
  return path.replace(/^.*[/\\]/s, "");
}

function text(key: string, value: string): MetadataEntry {
  return { key: `quantize.imatrix.${key}`, type: "string", value };
}

/** Whether a file's metadata say that importance decided its bytes. */
export function hasImportanceMetadata(metadata: readonly MetadataEntry[]): boolean {
  return metadata.some(({ key }) => key === "quantize.imatrix.entries_count");
}
