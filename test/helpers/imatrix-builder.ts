import type { ImportanceEntry, ImportanceMatrix } from "../../src/imatrix/types.js";
import { buildGguf, type BuiltEntry, type BuiltTensor } from "./gguf-builder.js";

/** One entry: `squares` has a row per expert, and every count is 2 unless they are given. */
export function importanceEntry(
  name: string,
  squares: readonly (readonly number[])[],
  counts: readonly number[] = squares.map(() => 2),
  sums?: readonly (readonly number[])[],
): ImportanceEntry {
  return {
    name,
    columns: squares[0]?.length ?? 0,
    experts: squares.length,
    sumsOfSquares: Float32Array.from(squares.flat()),
    counts: Float32Array.from(counts),
    ...(sums !== undefined && { sums: Float32Array.from(sums.flat()) }),
  };
}

export function importanceMatrix(
  entries: readonly ImportanceEntry[],
  rest: Partial<ImportanceMatrix> = {},
): ImportanceMatrix {
  return { entries, chunks: 3, chunkSize: 512, datasets: ["calib.txt"], ...rest };
}

export interface BuiltDatEntry {
  readonly name: string;
  readonly calls: number;
  readonly values: readonly number[];
  /** In place of the true number of values. */
  readonly length?: number;
}

/** A legacy .dat, well-formed or not; without `tail` it ends where the first files ended. */
export function buildImatrixDat(
  entries: readonly BuiltDatEntry[],
  tail?: { readonly chunks: number; readonly dataset: string },
): Uint8Array {
  const body = entries.map(({ name, calls, values, length = values.length }) =>
    Buffer.concat([
      text(name),
      i32(calls),
      i32(length),
      new Uint8Array(Float32Array.from(values).buffer),
    ]),
  );
  const end = tail === undefined ? [] : [i32(tail.chunks), text(tail.dataset)];
  return Buffer.concat([i32(entries.length), ...body, ...end]);
}

function text(value: string): Buffer {
  return Buffer.concat([i32(Buffer.byteLength(value)), Buffer.from(value)]);
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** The metadata that upstream writes. */
export const imatrixMetadata: readonly BuiltEntry[] = [
  { key: "general.type", type: "string", value: "imatrix" },
  { key: "imatrix.datasets", type: "array", elementType: "string", value: ["a.txt"] },
  { key: "imatrix.chunk_count", type: "u32", value: 7 },
  { key: "imatrix.chunk_size", type: "u32", value: 128 },
];

/** An importance matrix as GGUF, well-formed or not. */
export function buildImatrixGguf(
  tensors: readonly BuiltTensor[],
  metadata: readonly BuiltEntry[] = imatrixMetadata,
): Uint8Array {
  return buildGguf({ metadata, tensors });
}

export function f32Tensor(
  name: string,
  shape: readonly number[],
  values: readonly number[],
): BuiltTensor {
  return { name, type: "F32", shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}
