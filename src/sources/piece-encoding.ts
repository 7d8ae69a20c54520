/**
 * How weights that other programs have quantized lie in their files. What GPTQ, AWQ, compressed-tensors and FP8 have in
 * common is one formula; they differ in where codes, scales and zero points stand, and that is data.
 */

/** A matrix of numbers in a file of the model. */
export interface NumberGrid {
  /** Index into `ModelInfo.files`, bytes from the start of the file, and of the matrix. */
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
  readonly rows: number;
  readonly columns: number;
  /** I32: words of packed numbers. */
  readonly type: "E4M3" | "E5M2" | "E8M0" | "I8" | "U8" | "F16" | "BF16" | "F32" | "I32";
  /** What lies together is a column; else a row. */
  readonly byColumns?: boolean;
  /** Numbers of `bits` in words of 32, the first in the lowest bits. */
  readonly packing?: {
    /** 2, 4 or 8. */
    readonly bits: number;
    /** A word holds numbers of one column; else of one row. */
    readonly down?: boolean;
    /** The eight numbers of a word stand in AWQ's order: 0, 2, 4, 6, 1, 3, 5, 7. */
    readonly awqOrder?: boolean;
  };
}

/** Some rows of an encoded matrix: firstRow, firstRow + rowStep ... */
interface EncodedRows {
  readonly rows: number;
  readonly firstRow: number;
  readonly rowStep: number;
  readonly codes: NumberGrid;
}

/**
 * value(r, c) = (code(r, c) - zero(R, g)) * scale(R, g), in F32, with R = r / rowsPerScale, and g the group of column c:
 * c / columnsPerScale, or what `groups` says.
 */
export interface ScaledEncoding extends EncodedRows {
  readonly kind: "scaled";
  /** Without them the codes are the values. */
  readonly scales?: NumberGrid;
  readonly zeros?: NumberGrid;
  /** Added to the zeros; without zeros it is the zero point. */
  readonly zeroBias: number;
  readonly rowsPerScale: number;
  readonly columnsPerScale: number;
  /** An int32 for every column; nothing but -1 means that they are in order. */
  readonly groups?: { readonly file: number; readonly offset: number };
}

/** MXFP4 with codes and scales apart: 16 bytes per 32 values (2i in the low half of byte i, 2i + 1 in its high half). */
export interface Mxfp4Encoding extends EncodedRows {
  readonly kind: "mxfp4";
  readonly scales: NumberGrid;
}

export type PieceEncoding = ScaledEncoding | Mxfp4Encoding;
