import { randomSource } from "./random.js";
import type { BuiltWeight } from "./safetensors-builder.js";

/** An encoded weight: its tensors, and the values that they stand for (rows x columns). */
export interface EncodedWeight {
  readonly weights: BuiltWeight[];
  readonly values: Float32Array;
}

/** Some rows and columns, and what random numbers to fill them with. */
export interface Shape {
  readonly rows: number;
  readonly columns: number;
  readonly seed?: number;
}

const integer = (random: () => number, below: number) => Math.floor(random() * below);

export function table(count: number, value: (i: number) => number): number[] {
  return Array.from({ length: count }, (_, i) => value(i));
}

/** Numbers of a type that scales have, and the tensor's bytes. */
export function scaleNumbers(
  dtype: "F16" | "BF16" | "F32",
  count: number,
  random: () => number,
): { readonly values: number[]; readonly data: Uint8Array } {
  const [mantissaBits, bias] = { F16: [10, 15], BF16: [7, 127], F32: [23, 127] }[dtype] as [
    number,
    number,
  ];
  const codes = table(count, () => {
    const exponent = bias - 7 + integer(random, 5);
    const sign = random() < 0.1 ? 2 ** (dtype === "F32" ? 31 : 15) : 0;
    return sign + exponent * 2 ** mantissaBits + integer(random, 2 ** mantissaBits);
  });
  const signBit = dtype === "F32" ? 31 : 15;
  const values = codes.map((code) => {
    const magnitude = code % 2 ** signBit;
    const exponent = Math.floor(magnitude / 2 ** mantissaBits) - bias;
    const value = (1 + (magnitude % 2 ** mantissaBits) / 2 ** mantissaBits) * 2 ** exponent;
    return code >= 2 ** signBit ? -value : value;
  });
  const array = dtype === "F32" ? Uint32Array.from(codes) : Uint16Array.from(codes);
  return { values, data: new Uint8Array(array.buffer) };
}

export function int32(values: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

export function int64(values: readonly number[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer);
}

/** What a byte of E4M3 stands for, by the OCP specification of 8-bit floats. */
export function e4m3(byte: number): number {
  const [sign, exponent, mantissa] = [byte & 0x80 ? -1 : 1, (byte >> 3) & 15, byte & 7];
  if (exponent === 15 && mantissa === 7) return NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -9 : (1 + mantissa / 8) * 2 ** (exponent - 7));
}

export function e5m2(byte: number): number {
  const [sign, exponent, mantissa] = [byte & 0x80 ? -1 : 1, (byte >> 2) & 31, byte & 3];
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -16 : (1 + mantissa / 4) * 2 ** (exponent - 15));
}

/** Words of 32 bits out of codes, of which number i of a word goes to bit places[i]. */
function words(codes: readonly number[], places: readonly number[]): number {
  return codes.reduce((word, code, i) => word | (code << (places[i] ?? 0)), 0);
}

/** Where the codes of a word stand. */
const inOrder = (bits: number) => table(32 / bits, (i) => i * bits);
/** AutoAWQ packs column 8 w + order[i] of eight at bit 4 i. */
const awqOrder = [0, 2, 4, 6, 1, 3, 5, 7];
const awqPlaces = table(8, (i) => awqOrder.indexOf(i) * 4);

interface PackedOptions extends Shape {
  readonly name?: string;
  readonly bits?: number;
  readonly groupSize?: number;
  readonly scaleType?: "F16" | "BF16" | "F32";
}

/** Random codes and zero points (rows x columns, groups x rows), scales (groups x rows). */
function randomCodes(options: PackedOptions) {
  const { rows, columns, bits = 4, groupSize = columns, seed = 1, scaleType = "F16" } = options;
  const random = randomSource(seed);
  const groups = Math.ceil(columns / groupSize);
  const scales = scaleNumbers(scaleType, groups * rows, random);
  return {
    ...{ rows, columns, bits, groupSize, groups, scaleType, random, scales },
    codes: table(rows * columns, () => integer(random, 2 ** bits)),
    zeros: table(groups * rows, () => integer(random, 2 ** bits)),
  };
}

export interface GptqOptions extends PackedOptions {
  /** Columns belong to groups in no order. */
  readonly actOrder?: boolean;
  /** What the format adds to a stored zero point. */
  readonly zeroBias?: number;
  readonly withIndex?: boolean;
}

export function gptqWeight(options: GptqOptions): EncodedWeight {
  const { name = "layer", actOrder = false, zeroBias = 1, withIndex = true } = options;
  const made = randomCodes(options);
  const { rows, columns, bits, groups, groupSize, scaleType, scales, codes, zeros, random } = made;
  const perWord = 32 / bits;
  const index = table(columns, (c) => Math.floor(c / groupSize));
  if (actOrder) index.sort(() => random() - 0.5);
  const values = Float32Array.from(codes, (code, at) => {
    const place = (index[at % columns] ?? 0) * rows + Math.floor(at / columns);
    return (code - ((zeros[place] ?? 0) + zeroBias)) * (scales.values[place] ?? 0);
  });
  const qweight = table((columns / perWord) * rows, (at) => {
    const [word, row] = [Math.floor(at / rows), at % rows];
    const column = word * perWord;
    return words(
      table(perWord, (i) => codes[row * columns + column + i] ?? 0),
      inOrder(bits),
    );
  });
  const qzeros = table(groups * (rows / perWord), (at) => {
    const start = at * perWord;
    return words(
      table(perWord, (i) => zeros[start + i] ?? 0),
      inOrder(bits),
    );
  });
  const weights: BuiltWeight[] = [
    built(`${name}.qweight`, "I32", [columns / perWord, rows], int32(qweight)),
    built(`${name}.qzeros`, "I32", [groups, rows / perWord], int32(qzeros)),
    built(`${name}.scales`, scaleType, [groups, rows], scales.data),
  ];
  if (withIndex) weights.push(built(`${name}.g_idx`, "I32", [columns], int32(index)));
  return { weights, values };
}

export function awqWeight(options: PackedOptions): EncodedWeight {
  const { name = "layer" } = options;
  const { rows, columns, groups, groupSize, scaleType, scales, codes, zeros } =
    randomCodes(options);
  const values = Float32Array.from(codes, (code, at) => {
    const place = Math.floor((at % columns) / groupSize) * rows + Math.floor(at / columns);
    return (code - (zeros[place] ?? 0)) * (scales.values[place] ?? 0);
  });
  const qweight = table(columns * (rows / 8), (at) => {
    const [column, row] = [Math.floor(at / (rows / 8)), (at % (rows / 8)) * 8];
    return words(
      table(8, (i) => codes[(row + i) * columns + column] ?? 0),
      awqPlaces,
    );
  });
  const qzeros = table(groups * (rows / 8), (at) =>
    words(
      table(8, (i) => zeros[at * 8 + i] ?? 0),
      awqPlaces,
    ),
  );
  return {
    weights: [
      built(`${name}.qweight`, "I32", [columns, rows / 8], int32(qweight)),
      built(`${name}.qzeros`, "I32", [groups, rows / 8], int32(qzeros)),
      built(`${name}.scales`, scaleType, [groups, rows], scales.data),
    ],
    values,
  };
}

export interface CompressedOptions extends PackedOptions {
  /** Zero points: none, in words, or as signed bytes. */
  readonly zeroPoints?: "words" | "bytes";
  /** `none`: there, but never filled in. */
  readonly index?: "random" | "none";
}

/** compressed-tensors' pack-quantized. */
export function compressedWeight(options: CompressedOptions): EncodedWeight {
  const { name = "layer", zeroPoints, index } = options;
  const made = randomCodes(options);
  const { rows, columns, bits, groups, groupSize, scaleType, scales, codes, zeros, random } = made;
  const perWord = 32 / bits;
  const half = 2 ** (bits - 1);
  const order = table(columns, (c) => Math.floor(c / groupSize));
  if (index === "random") order.sort(() => random() - 0.5);
  const place = (at: number) => Math.floor(at / columns) * groups + (order[at % columns] ?? 0);
  const values = Float32Array.from(codes, (code, at) => {
    const zero = zeroPoints === undefined ? half : (zeros[place(at)] ?? 0);
    return (code - zero) * (scales.values[place(at)] ?? 0);
  });
  const wordsPerRow = Math.ceil(columns / perWord);
  const packed = table(rows * wordsPerRow, (at) => {
    const [row, column] = [Math.floor(at / wordsPerRow), (at % wordsPerRow) * perWord];
    const inRow = table(
      perWord,
      (i) => (column + i < columns ? codes[row * columns + column + i] : 0) ?? 0,
    );
    return words(inRow, inOrder(bits));
  });
  const zeroWords = table(Math.ceil(rows / perWord) * groups, (at) => {
    const [row, group] = [Math.floor(at / groups) * perWord, at % groups];
    return words(
      table(perWord, (i) => zeros[(row + i) * groups + group] ?? 0),
      inOrder(bits),
    );
  });
  const weights = [
    built(`${name}.weight_packed`, "I32", [rows, wordsPerRow], int32(packed)),
    built(`${name}.weight_scale`, scaleType, [rows, groups], scales.data),
    built(`${name}.weight_shape`, "I64", [2], int64([rows, columns])),
  ];
  const zeroName = `${name}.weight_zero_point`;
  if (zeroPoints === "words") {
    const shape = [Math.ceil(rows / perWord), groups];
    weights.push(built(zeroName, "I32", shape, int32(zeroWords)));
  } else if (zeroPoints === "bytes") {
    const signed = Int8Array.from(zeros, (zero) => zero - half);
    weights.push(built(zeroName, "I8", [rows, groups], new Uint8Array(signed.buffer)));
  }
  if (index !== undefined) {
    const stored = index === "none" ? order.map(() => -1) : order;
    weights.push(built(`${name}.weight_g_idx`, "I32", [columns], int32(stored)));
  }
  return { weights, values };
}

export interface BytesOptions extends Shape {
  readonly name?: string;
  readonly dtype?: "F8_E4M3" | "F8_E5M2" | "I8";
  /** The scales' shape; none without it. */
  readonly scaleShape?: readonly number[];
  /** Rows and columns that share a scale. */
  readonly block?: readonly [number, number];
  readonly scaleName?: string;
  readonly scaleType?: "F16" | "BF16" | "F32";
  readonly matrices?: number;
}

const byteValues = { F8_E4M3: e4m3, F8_E5M2: e5m2, I8: (byte: number) => (byte << 24) >> 24 };

/** FP8 and INT8 with scales. */
export function bytesWeight(options: BytesOptions): EncodedWeight {
  const { name = "layer.weight", dtype = "F8_E4M3", rows, columns, seed = 1 } = options;
  const { scaleShape, scaleName = `${name}_scale_inv`, scaleType = "F32", matrices = 1 } = options;
  const [blockRows, blockColumns] = options.block ?? [rows, columns];
  const random = randomSource(seed);
  const valueOf = byteValues[dtype];
  const finite = table(256, (byte) => byte).filter((byte) => Number.isFinite(valueOf(byte)));
  const codes = table(matrices * rows * columns, () => finite[integer(random, finite.length)] ?? 0);
  const count = scaleShape?.reduce((product, n) => product * n, 1) ?? 0;
  const scales = scaleNumbers(scaleType, count, random);
  const across = Math.ceil(columns / blockColumns);
  const down = Math.ceil(rows / blockRows);
  const values = Float32Array.from(codes, (code, at) => {
    if (scaleShape === undefined) return valueOf(code);
    const [row, column] = [Math.floor(at / columns) % rows, at % columns];
    const matrix = Math.floor(at / (rows * columns));
    const place = Math.floor(row / blockRows) * across + Math.floor(column / blockColumns);
    return valueOf(code) * (scales.values[count === 1 ? 0 : matrix * across * down + place] ?? NaN);
  });
  const shape = [...(matrices > 1 ? [matrices] : []), rows, columns];
  const weights = [built(name, dtype, shape, Uint8Array.from(codes))];
  if (scaleShape !== undefined) weights.push(built(scaleName, scaleType, scaleShape, scales.data));
  return { weights, values };
}

/** gpt-oss: experts x rows x columns / 32 blocks of 16 bytes. */
export function mxfp4Weight({
  name = "experts.down_proj",
  matrices = 1,
  rows,
  columns,
  seed = 1,
}: Shape & { name?: string; matrices?: number }): EncodedWeight {
  const random = randomSource(seed);
  const levels = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
  const codes = table(matrices * rows * columns, () => integer(random, 16));
  const scales = table(codes.length / 32, () => 110 + integer(random, 20));
  const values = Float32Array.from(codes, (code, at) => {
    const magnitude = (levels[code % 8] ?? 0) * 2 ** ((scales[Math.floor(at / 32)] ?? 0) - 127);
    // GGUF has no second zero.
    return code <= 8 ? magnitude : -magnitude;
  });
  const blocks = table(
    codes.length / 2,
    (i) => (codes[2 * i] ?? 0) | ((codes[2 * i + 1] ?? 0) << 4),
  );
  const shape = [matrices, rows, columns / 32];
  return {
    weights: [
      built(`${name}_blocks`, "U8", [...shape, 16], Uint8Array.from(blocks)),
      built(`${name}_scales`, "U8", shape, Uint8Array.from(scales)),
    ],
    values,
  };
}

export function built(
  name: string,
  dtype: string,
  shape: readonly number[],
  data: Uint8Array,
): BuiltWeight {
  return { name, dtype, shape, data };
}
