/**
 * The tensor types of GGUF: name, ggml id, values and bytes per block. The same rows stand in native/formats/formats.inc
 * (a test compares them). Rows with `codec` can be quantized and dequantized; the others can be described and copied.
 */
const rows = [
  { name: "F32", id: 0, values: 1, bytes: 4, codec: true },
  { name: "F16", id: 1, values: 1, bytes: 2, codec: true },
  { name: "Q4_0", id: 2, values: 32, bytes: 18, codec: true },
  { name: "Q4_1", id: 3, values: 32, bytes: 20, codec: true },
  { name: "Q5_0", id: 6, values: 32, bytes: 22, codec: true },
  { name: "Q5_1", id: 7, values: 32, bytes: 24, codec: true },
  { name: "Q8_0", id: 8, values: 32, bytes: 34, codec: true },
  { name: "Q2_K", id: 10, values: 256, bytes: 84, codec: true },
  { name: "Q3_K", id: 11, values: 256, bytes: 110, codec: true },
  { name: "Q4_K", id: 12, values: 256, bytes: 144, codec: true },
  { name: "Q5_K", id: 13, values: 256, bytes: 176, codec: true },
  { name: "Q6_K", id: 14, values: 256, bytes: 210, codec: true },
  { name: "IQ2_XXS", id: 16, values: 256, bytes: 66, codec: true },
  { name: "IQ2_XS", id: 17, values: 256, bytes: 74, codec: true },
  { name: "IQ3_XXS", id: 18, values: 256, bytes: 98, codec: true },
  { name: "IQ1_S", id: 19, values: 256, bytes: 50, codec: true },
  { name: "IQ4_NL", id: 20, values: 32, bytes: 18, codec: true },
  { name: "IQ3_S", id: 21, values: 256, bytes: 110, codec: true },
  { name: "IQ2_S", id: 22, values: 256, bytes: 82, codec: true },
  { name: "IQ4_XS", id: 23, values: 256, bytes: 136, codec: true },
  { name: "I8", id: 24, values: 1, bytes: 1, codec: false },
  { name: "I16", id: 25, values: 1, bytes: 2, codec: false },
  { name: "I32", id: 26, values: 1, bytes: 4, codec: false },
  { name: "I64", id: 27, values: 1, bytes: 8, codec: false },
  { name: "F64", id: 28, values: 1, bytes: 8, codec: false },
  { name: "IQ1_M", id: 29, values: 256, bytes: 56, codec: true },
  { name: "BF16", id: 30, values: 1, bytes: 2, codec: true },
  { name: "TQ1_0", id: 34, values: 256, bytes: 54, codec: true },
  { name: "TQ2_0", id: 35, values: 256, bytes: 66, codec: true },
  { name: "MXFP4", id: 39, values: 32, bytes: 17, codec: true },
  { name: "NVFP4", id: 40, values: 64, bytes: 36, codec: true },
  { name: "Q1_0", id: 41, values: 128, bytes: 18, codec: true },
  { name: "Q2_0", id: 42, values: 64, bytes: 18, codec: true },
] as const;

/** The name of a tensor type (ggml_type): `Q6_K`, not a recipe such as `Q4_K_M`. */
export type FormatName = (typeof rows)[number]["name"];

/** What a block of a tensor type is. */
export interface Format {
  readonly name: FormatName;
  /** ggml's number for the type, as GGUF files hold it. */
  readonly id: number;
  /** Values in a block: the length of a row is a multiple of it. */
  readonly values: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Whether Nibble can quantize to it and dequantize from it. */
  readonly codec: boolean;
}

/** Every tensor type that Nibble knows, in the order of their ids. */
export const formats: readonly Format[] = rows;

const byName = new Map<string, Format>(rows.map((row) => [row.name, row]));
const byId = new Map<number, Format>(rows.map((row) => [row.id, row]));

/** The row of a tensor type that is known to exist. */
export function format(name: FormatName): Format {
  return byName.get(name) as Format;
}

/** The tensor type of that name (any case), or undefined. */
export function findFormat(name: string): Format | undefined {
  return byName.get(name.toUpperCase());
}

/** The tensor type of that ggml id, or undefined: unknown, or removed from GGUF. */
export function formatOfId(id: number): Format | undefined {
  return byId.get(id);
}

/** Bytes of `rows` rows of `perRow` values; `perRow` is a multiple of the block. */
export function bytesOf(name: FormatName, perRow: number, rows: number): number {
  const { values, bytes } = format(name);
  return (perRow / values) * bytes * rows;
}
