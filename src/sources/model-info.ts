import type { FormatName } from "../formats.js";

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
}

/** What happens to the rows between the source and the tensor that is described. */
export interface RowTransform {
  /**
   * `interleave-halves`: in every group of `headDim` rows, row 2i + k is the source's row i + k * headDim / 2.
   * That is the q/k permutation from Hugging Face's half-split rotary embedding to GGUF's interleaved one.
   */
  readonly kind: "interleave-halves";
  readonly headDim: number;
}

export interface TensorInfo {
  readonly name: string;
  readonly type: FormatName;
  /** GGUF order: shape[0] is the number of values in a row; 1 to 4 dimensions. */
  readonly shape: readonly number[];
  readonly bytes: number;
  /** In order; together they are the tensor's rows. A piece holds whole rows. */
  readonly pieces: readonly Piece[];
  readonly transform?: RowTransform;
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
