import type { FormatName } from "../formats.js";
import type { PieceEncoding } from "./piece-encoding.js";

/** Value types of GGUF metadata; arrays hold one of the others. */
export type ScalarType =
  "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "bool" | "string" | "u64" | "i64" | "f64";
/** 64-bit integers are bigint, other numbers number. */
export type Scalar = number | bigint | boolean | string;

/** One key of the metadata, in the order of the file. */
export interface MetadataEntry {
  readonly key: string;
  readonly type: ScalarType | "array";
  /** Type of the elements, of arrays only. */
  readonly elementType?: ScalarType;
  readonly value: Scalar | readonly Scalar[];
  /**
   * The value's bytes in a GGUF (without its type), where it came from one: a string that is not valid UTF-8 survives
   * being copied. Not enumerable, so that `--json` leaves it out.
   */
  readonly raw?: Uint8Array;
}

/** A part of a tensor as it lies in a file. */
export interface Piece {
  /** Index into `ModelInfo.files`. */
  readonly file: number;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Where the values are no type of GGUF's: how they are coded. Then `bytes` are those of its rows' codes. */
  readonly encoding?: PieceEncoding;
}

/** What happens to the values between the source and the tensor that is described. */
export type TensorTransform =
  /**
   * In every group of `headDim` rows, row 2i + k is the source's row i + k * headDim / 2: the q/k permutation from
   * Hugging Face's half-split rotary embedding to GGUF's interleaved one.
   */
  | { readonly kind: "interleave-halves"; readonly headDim: number }
  /** The source holds the matrix transposed: its rows are this tensor's columns. Every piece is a matrix of its own. */
  | { readonly kind: "transpose" }
  /** Every value plus one. */
  | { readonly kind: "add-one" };

export interface TensorInfo {
  readonly name: string;
  /** Of the source; of encoded pieces the type that the model computes in (F32, F16 or BF16), or MXFP4. */
  readonly type: FormatName;
  /** GGUF order: shape[0] is the number of values in a row; 1 to 4 dimensions. */
  readonly shape: readonly number[];
  /** In the source. */
  readonly bytes: number;
  /**
   * In order; together they are the tensor's rows. A piece holds whole rows, or part of the only one. Empty where there
   * are `values`.
   */
  readonly pieces: readonly Piece[];
  readonly transform?: TensorTransform;
  /** The values themselves (F32), of a small tensor that no file holds: frequencies of a rotary embedding. */
  readonly values?: Float32Array;
}

/**
 * The type that reading a tensor gives: its own, or F32 where the values are computed (decoded, one added) or given.
 */
export function readType({ type, pieces, transform, values }: TensorInfo): FormatName {
  const isDecoded = pieces.some(({ encoding }) => encoding?.kind === "scaled");
  return isDecoded || transform?.kind === "add-one" || values !== undefined ? "F32" : type;
}

/** Rows `first` to `first + count` of what lies in pieces; `rowBytes` is the length of a row that is not encoded. */
export function rowsOf(
  pieces: readonly Piece[],
  rowBytes: number,
  first: number,
  count: number,
): readonly Piece[] {
  const taken: Piece[] = [];
  let before = 0;
  for (const piece of pieces) {
    const { encoding, offset, bytes } = piece;
    const rows = encoding?.rows ?? bytes / rowBytes;
    const from = Math.max(0, first - before);
    const here = Math.min(rows, first + count - before) - from;
    before += rows;
    if (here <= 0) continue;
    const each = bytes / rows;
    const part = { ...piece, bytes: here * each };
    if (encoding === undefined) {
      taken.push({ ...part, offset: offset + from * each });
    } else {
      const firstRow = encoding.firstRow + from * encoding.rowStep;
      taken.push({ ...part, encoding: { ...encoding, rows: here, firstRow } });
    }
  }
  return taken;
}

/** Whether a tensor's bytes in the output are those of its pieces, one after the other, where the type stays. */
export function isPlain({ pieces, transform }: TensorInfo): boolean {
  return transform === undefined && pieces.length > 0 && pieces.every(({ encoding }) => !encoding);
}

export interface SourceFile {
  readonly path: string;
  readonly bytes: number;
}

/** A model as its headers describe it: no weights are read for this. */
export interface ModelInfo {
  /** What the caller named. */
  readonly path: string;
  readonly container: "gguf" | "hf";
  readonly metadata: readonly MetadataEntry[];
  readonly tensors: readonly TensorInfo[];
  /** The files that hold the tensors (more than one for split GGUFs and shards). */
  readonly files: readonly SourceFile[];
}
