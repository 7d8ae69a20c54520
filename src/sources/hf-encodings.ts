import type { FormatName } from "../formats.js";
import { NibbleError } from "../errors.js";
import { formatError } from "./byte-source.js";
import type { Quantization } from "./hf-quantization.js";
import type { Piece } from "./model-info.js";
import type { NumberGrid, PieceEncoding } from "./piece-encoding.js";
import type { SafeTensor } from "./safetensors.js";

/** What a quantized weight consists of, each a tensor of its own. */
export type Part = "weight" | "codes" | "scales" | "zeros" | "groups" | "shape";
export type Parts = Partial<Record<Part, SafeTensor>>;

/** A weight put together. */
export interface Encoded {
  /** Slowest dimension first. */
  readonly shape: readonly number[];
  /** Of what it becomes where no values are computed: MXFP4. */
  readonly type?: FormatName;
  readonly pieces: readonly Piece[];
}

interface Suffix {
  readonly end: string;
  readonly part: Part;
  /** What stands in place of the end in the name of the weight. */
  readonly of: string;
}

const suffix = (end: string, part: Part, of = ".weight"): Suffix => ({ end, part, of });
const scaleSuffixes = [
  suffix("_scale_inv", "scales", ""),
  suffix(".weight_scale", "scales"),
  suffix(".qscale_weight", "scales"),
];
const packedSuffixes = [suffix(".qweight", "codes"), suffix(".qzeros", "zeros")];

/** The ends of the names of a weight's parts. */
const suffixes: Readonly<Record<Quantization["method"], readonly Suffix[]>> = {
  bytes: scaleSuffixes,
  gptq: [...packedSuffixes, suffix(".scales", "scales"), suffix(".g_idx", "groups")],
  awq: [...packedSuffixes, suffix(".scales", "scales")],
  compressed: [
    ...scaleSuffixes,
    suffix(".weight_packed", "codes"),
    suffix(".weight_zero_point", "zeros"),
    suffix(".weight_g_idx", "groups"),
    suffix(".weight_shape", "shape"),
  ],
  mxfp4: [suffix("_blocks", "codes"), suffix("_scales", "scales")],
};

/** Scales of activations and of the cache, which weights do not need. */
const unused =
  /\.(input|output|k|v|q)_(scale|scale_inv|zero_point|global_scale)$|[._]activation_scale$|\.qscale_act$/;

/** Which part of which weight a tensor is; undefined for one that no weight needs. */
export function partOf(
  name: string,
  method: Quantization["method"] | undefined,
): { readonly weight: string; readonly part: Part } | undefined {
  if (method === undefined) return { weight: name, part: "weight" };
  if (unused.test(name)) return undefined;
  const found = suffixes[method].find(({ end }) => name.endsWith(end));
  if (found === undefined) return { weight: name, part: "weight" };
  return { weight: name.slice(0, -found.end.length) + found.of, part: found.part };
}

/** What an encoder knows of a weight. */
interface Context {
  readonly name: string;
  readonly path: string;
  readonly parts: Parts;
  readonly quantization: Quantization;
  /** Of compressed-tensors' weight_shape: rows and columns. */
  readonly shape: readonly number[] | undefined;
}

/**
 * Puts a quantized weight together. All lengths come from shapes that the files' headers prove, and all shapes have to fit
 * each other.
 *
 * @throws NibbleError ERR_FORMAT where they do not, with the shapes; ERR_UNSUPPORTED for a kind that is not decoded.
 */
export function encodedWeight(context: Context): Encoded {
  const { method } = context.quantization;
  const { weight, codes } = context.parts;
  if (weight !== undefined && codes !== undefined) {
    throw misfit(context, `it is there quantized and, as ${weight.name}, once more`);
  }
  if (weight === undefined && codes === undefined) throw misfit(context, "the codes are missing");
  if (method === "gptq") return gptq(context, context.quantization);
  if (method === "awq") return awq(context, context.quantization);
  if (method === "mxfp4") return mxfp4(context);
  return codes === undefined ? bytes(context) : compressed(context);
}

/** An error that names the weight, its parts and their shapes. */
function misfit({ name, path, parts }: Context, problem: string): NibbleError {
  const shown = Object.values(parts).map(
    (tensor) => `${tensor.name} ${tensor.dtype} [${tensor.shape.join(", ")}]`,
  );
  return formatError(path, `tensor ${name}`, `${problem} (${shown.join("; ")})`);
}

/** A part that has to be there, with one of these types and so many dimensions. */
function need(
  context: Context,
  part: Part,
  dtypes: readonly string[],
  dimensions: number,
): SafeTensor {
  const tensor = context.parts[part];
  if (tensor === undefined) throw misfit(context, `its ${part} are missing`);
  if (!dtypes.includes(tensor.dtype)) {
    throw misfit(context, `its ${part} have to be ${dtypes.join(" or ")}`);
  }
  if (tensor.shape.length !== dimensions || tensor.bytes === 0) {
    throw misfit(context, `its ${part} have to have ${dimensions} dimensions and values`);
  }
  return tensor;
}

const scaleTypes = ["F16", "BF16", "F32"];

const gridTypes: Readonly<Record<string, NumberGrid["type"]>> = {
  F8_E4M3: "E4M3",
  F8_E5M2: "E5M2",
  F8_E8M0: "E8M0",
  ...{ I8: "I8", U8: "U8", I32: "I32", F16: "F16", BF16: "BF16", F32: "F32" },
};

/** Part `index` of `count` equal ones of a tensor, as a matrix. */
function grid(
  tensor: SafeTensor,
  rows: number,
  columns: number,
  layout: Pick<NumberGrid, "byColumns" | "packing"> = {},
  index = 0,
  count = 1,
): NumberGrid {
  const bytes = tensor.bytes / count;
  const type = gridTypes[tensor.dtype] ?? "U8";
  const offset = tensor.offset + index * bytes;
  return { file: tensor.file, offset, bytes, rows, columns, type, ...layout };
}

function piece(encoding: PieceEncoding): Piece {
  const { file, offset, bytes } = encoding.codes;
  return { file, offset, bytes, encoding };
}

/** How many of `length` share one of `scales` scales; `block` where that is a fixed number. */
function share(length: number, scales: number, blocks: readonly number[]): number | undefined {
  if (scales === 1) return length;
  if (scales === length) return 1;
  return blocks.find((block) => Math.ceil(length / block) === scales);
}

interface Shares {
  readonly rowsPerScale: number;
  readonly columnsPerScale: number;
}

function shares(
  context: Context,
  [rows, columns]: readonly [number, number],
  [scaleRows, scaleColumns]: readonly [number, number],
): Shares {
  const { quantization } = context;
  const blocks = "blocks" in quantization ? quantization.blocks : [];
  const rowsPerScale = share(
    rows,
    scaleRows,
    blocks.map(([size = 1]) => size),
  );
  const columnsPerScale = share(
    columns,
    scaleColumns,
    blocks.map(([, size = 1]) => size),
  );
  if (rowsPerScale === undefined || columnsPerScale === undefined) {
    const known = blocks.map((block) => block.join(" x ")).join(" or ") || "none";
    throw misfit(context, `its scales fit neither rows nor columns nor blocks (${known})`);
  }
  return { rowsPerScale, columnsPerScale };
}

/** The last two dimensions, and how many matrices of those there are. */
function matrices(shape: readonly number[]): { count: number; rows: number; columns: number } {
  const columns = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  const count = shape.slice(0, -2).reduce((product, length) => product * length, 1);
  return { count, rows, columns };
}

const byteTypes = ["F8_E4M3", "F8_E5M2", "I8", ...scaleTypes];

/** FP8 and INT8: a byte per value, row by row, with a scale for all, for each row, or for each block. */
function bytes(context: Context): Encoded {
  const { parts } = context;
  const weight = parts.weight as SafeTensor;
  need(context, "weight", byteTypes, weight.shape.length);
  const { count, rows, columns } = matrices(weight.shape);
  const scaled = parts.scales && scalesOf(context, weight.shape, parts.scales);
  if (scaled === undefined && weight.dtype === "I8")
    throw misfit(context, "its scales are missing");
  const zeros = parts.zeros && need(context, "zeros", ["I8"], parts.scales?.shape.length ?? 0);
  if (zeros !== undefined && zeros.shape.join() !== parts.scales?.shape.join()) {
    throw misfit(context, "it has other zero points than scales");
  }
  const pieces = Array.from({ length: count }, (_, i) => {
    const ofScale = (tensor: SafeTensor): NumberGrid =>
      grid(
        tensor,
        scaled?.rows ?? 1,
        scaled?.columns ?? 1,
        {},
        scaled?.count === 1 ? 0 : i,
        scaled?.count,
      );
    return piece({
      kind: "scaled",
      ...{ rows, firstRow: 0, rowStep: 1, zeroBias: 0 },
      codes: grid(weight, rows, columns, {}, i, count),
      ...(parts.scales && { scales: ofScale(parts.scales) }),
      ...(zeros && { zeros: ofScale(zeros) }),
      rowsPerScale: scaled?.rowsPerScale ?? rows,
      columnsPerScale: scaled?.columnsPerScale ?? columns,
    });
  });
  return { shape: weight.shape, pieces };
}

/** A scale's missing dimensions are its last ones; a single scale is for all matrices. */
function scalesOf(
  context: Context,
  shape: readonly number[],
  scales: SafeTensor,
): Shares & { readonly count: number; readonly rows: number; readonly columns: number } {
  need(context, "scales", [...scaleTypes, "F8_E8M0"], scales.shape.length);
  const { count, rows, columns } = matrices(shape);
  if (scales.shape.every((length) => length === 1)) {
    return { count: 1, rows: 1, columns: 1, rowsPerScale: rows, columnsPerScale: columns };
  }
  const missing = shape.length - scales.shape.length;
  const full = [...scales.shape, ...Array<number>(Math.max(0, missing)).fill(1)];
  const own = matrices(full);
  if (missing < 0 || own.count !== count) throw misfit(context, "it has scales for other matrices");
  return { ...own, ...shares(context, [rows, columns], [own.rows, own.columns]) };
}

const wordBits = 32;

/** Codes in words down the columns, which lie row after row of words; scales and zero points by group, then column. */
function gptq(
  context: Context,
  { bits, groupSize, zeroBias }: Quantization & { method: "gptq" },
): Encoded {
  const perWord = wordBits / bits;
  const codes = need(context, "codes", ["I32"], 2);
  const [words = 0, rows = 0] = codes.shape;
  return byColumns(context, groupSize, {
    ...{ rows, columns: words * perWord, zeroBias },
    // In GPTQ's view of it the matrix is the transposed one.
    codes: grid(codes, rows, words * perWord, { byColumns: true, packing: { bits: bits } }),
    zeroPacking: { bits: bits, down: true },
  });
}

/** As GPTQ, but the words of the codes lie like those of the zero points, and in an order of their own. */
function awq(context: Context, { bits, groupSize }: Quantization & { method: "awq" }): Encoded {
  const codes = need(context, "codes", ["I32"], 2);
  const [columns = 0, words = 0] = codes.shape;
  const rows = words * (wordBits / bits);
  const zeroPacking = { bits: bits, down: true, awqOrder: true } as const;
  return byColumns(context, groupSize, {
    ...{ rows, columns, zeroBias: 0, zeroPacking },
    codes: grid(codes, rows, columns, { byColumns: true, packing: zeroPacking }),
  });
}

function byColumns(
  context: Context,
  groupSize: number | undefined,
  matrix: {
    readonly rows: number;
    readonly columns: number;
    readonly codes: NumberGrid;
    readonly zeroBias: number;
    readonly zeroPacking: NonNullable<NumberGrid["packing"]>;
  },
): Encoded {
  const { rows, columns, codes, zeroBias, zeroPacking } = matrix;
  const perWord = wordBits / zeroPacking.bits;
  const scales = need(context, "scales", scaleTypes, 2);
  const zeros = need(context, "zeros", ["I32"], 2);
  const [count = 0, scaleRows = 0] = scales.shape;
  const [zeroCount = 0, zeroWords = 0] = zeros.shape;
  if (scaleRows !== rows || zeroCount !== count || zeroWords * perWord !== rows) {
    throw misfit(context, `its scales and zero points do not fit ${rows} x ${columns} values`);
  }
  const groups = context.parts.groups && need(context, "groups", ["I32"], 1);
  const columnsPerScale = groupSize ?? columns;
  const fits =
    groups === undefined
      ? Math.ceil(columns / columnsPerScale) === count
      : groups.shape[0] === columns && count <= columns;
  if (!fits)
    throw misfit(context, `it has ${count} groups of ${columnsPerScale} for ${columns} columns`);
  const encoding = {
    ...{ rows, firstRow: 0, rowStep: 1, codes, zeroBias, rowsPerScale: 1, columnsPerScale },
    scales: grid(scales, rows, count, { byColumns: true }),
    zeros: grid(zeros, rows, count, { byColumns: true, packing: zeroPacking }),
    ...(groups && { groups: { file: groups.file, offset: groups.offset } }),
  };
  return { shape: [rows, columns], pieces: [piece({ kind: "scaled", ...encoding })] };
}

/** Codes in words along the rows; zero points in words down the columns. */
function compressed(context: Context): Encoded {
  const { parts, shape, quantization } = context;
  if (parts.codes?.dtype === "U8") return mxfp4Rows(context);
  const codes = need(context, "codes", ["I32"], 2);
  const [rows = 0, words = 0] = codes.shape;
  const [shapeRows, columns] = shape ?? [];
  const bits = ("bits" in quantization ? [quantization.bits].flat() : []).find(
    (known) => columns !== undefined && Math.ceil(columns / (wordBits / known)) === words,
  );
  if (columns === undefined || shapeRows !== rows || bits === undefined) {
    throw misfit(context, `its codes are not those of ${shape?.join(" x ") ?? "any shape"}`);
  }
  const scales = need(context, "scales", scaleTypes, parts.scales?.shape.length ?? 2);
  const scaled = scalesOf(context, [rows, columns], scales);
  const groups = parts.groups && need(context, "groups", ["I32"], 1);
  if (groups !== undefined && groups.shape[0] !== columns) {
    throw misfit(context, `its groups are not those of ${columns} columns`);
  }
  const zeros = parts.zeros && packedZeros(context, bits, [scaled.rows, scaled.columns]);
  const { rowsPerScale, columnsPerScale } = scaled;
  const encoding = {
    ...{ rows, firstRow: 0, rowStep: 1, rowsPerScale, columnsPerScale },
    codes: grid(codes, rows, columns, { packing: { bits: bits } }),
    scales: grid(scales, scaled.rows, scaled.columns),
    ...(zeros && { zeros }),
    // Codes are stored from 0 on; zero points in words too.
    zeroBias: zeros?.type === "I32" ? 0 : 2 ** (bits - 1),
    ...(groups && { groups: { file: groups.file, offset: groups.offset } }),
  };
  return { shape: [rows, columns], pieces: [piece({ kind: "scaled", ...encoding })] };
}

function packedZeros(
  context: Context,
  bits: number,
  [rows, columns]: readonly [number, number],
): NumberGrid {
  const zeros = need(context, "zeros", ["I32", "I8"], 2);
  const packed = zeros.dtype === "I32";
  const [words = 0, count = 0] = zeros.shape;
  const expected = packed ? Math.ceil(rows / (wordBits / bits)) : rows;
  if (words !== expected || count !== columns) {
    throw misfit(context, `its zero points are not those of ${rows} x ${columns} scales`);
  }
  return grid(zeros, rows, columns, packed ? { packing: { bits: bits, down: true } } : {});
}

const blockBytes = 16;

/** Experts x rows x blocks x 16 bytes, with a byte of scale per block. */
function mxfp4(context: Context): Encoded {
  const dimensions = context.parts.codes?.shape.length ?? 0;
  if (dimensions < 3) throw misfit(context, "its codes have to be blocks of 16 bytes");
  const codes = need(context, "codes", ["U8"], dimensions);
  const scales = need(context, "scales", ["U8"], dimensions - 1);
  const shape = codes.shape.slice(0, -1);
  if (codes.shape.at(-1) !== blockBytes || shape.join() !== scales.shape.join()) {
    throw misfit(context, "its codes have to be blocks of 16 bytes with a scale each");
  }
  const blocks = shape.at(-1) ?? 0;
  return mxfp4Weight(codes, scales, [...shape.slice(0, -1), blocks * 2 * blockBytes]);
}

/** The same of compressed-tensors: rows x half as many bytes as columns. */
function mxfp4Rows(context: Context): Encoded {
  const codes = need(context, "codes", ["U8"], 2);
  if (context.parts.scales?.dtype !== "U8") {
    throw new NibbleError(
      "ERR_UNSUPPORTED",
      `${context.path}: tensor ${context.name} is in NVFP4; take the model's original weights`,
      { what: "quantization_config.format", value: "nvfp4-pack-quantized" },
    );
  }
  const scales = need(context, "scales", ["U8"], 2);
  const [rows = 0, half = 0] = codes.shape;
  if (scales.shape[0] !== rows || (scales.shape[1] ?? 0) * blockBytes !== half) {
    throw misfit(context, "its codes have to be blocks of 16 bytes with a scale each");
  }
  return mxfp4Weight(codes, scales, [rows, half * 2]);
}

function mxfp4Weight(codes: SafeTensor, scales: SafeTensor, shape: readonly number[]): Encoded {
  const columns = shape.at(-1) ?? 0;
  const rows = (codes.bytes * 2) / columns;
  const encoding: PieceEncoding = {
    kind: "mxfp4",
    ...{ rows, firstRow: 0, rowStep: 1 },
    codes: grid(codes, rows, columns / 2),
    scales: grid(scales, rows, columns / 2 / blockBytes),
  };
  return { shape, type: "MXFP4", pieces: [piece(encoding)] };
}
