import { open } from "node:fs/promises";
import { ioError, NibbleError } from "../errors.js";
import { format } from "../formats.js";
import type { NativeModelConfig, NativeModelOptions, NativePlace } from "../native/binding.js";
import type { ModelInfo, TensorInfo } from "../sources/model-info.js";
import { modelValues, type ModelValues } from "./model-values.js";
import { ropeFrequencies } from "./rope.js";

/** What the native graph has to know of an architecture, beside its numbers. */
interface Architecture {
  /** Rotary embedding turns pairs (i, i + dims / 2); else (2i, 2i + 1). */
  readonly ropeHalves: boolean;
  /** Queries and keys are normed, head by head. */
  readonly normsHeads: boolean;
}

const architectures: Readonly<Record<string, Architecture>> = {
  llama: { ropeHalves: false, normsHeads: false },
  qwen2: { ropeHalves: true, normsHeads: false },
  qwen3: { ropeHalves: true, normsHeads: true },
};

/** Lengths that shapes are made of. */
type Length = "width" | "vocabulary" | "queries" | "keys" | "headDim" | "ffnWidth";

interface TensorRow {
  readonly name: string;
  /** GGUF order: values in a row, then rows. One length is a vector, which has to be F32. */
  readonly shape: readonly Length[];
  readonly isOptional?: true;
}

const modelTensors: readonly TensorRow[] = [
  { name: "token_embd.weight", shape: ["width", "vocabulary"] },
  { name: "output_norm.weight", shape: ["width"] },
  { name: "output.weight", shape: ["width", "vocabulary"], isOptional: true },
  { name: "output.bias", shape: ["vocabulary"], isOptional: true },
];

const layerTensors: readonly TensorRow[] = [
  { name: "attn_norm.weight", shape: ["width"] },
  { name: "attn_q.weight", shape: ["width", "queries"] },
  { name: "attn_k.weight", shape: ["width", "keys"] },
  { name: "attn_v.weight", shape: ["width", "keys"] },
  { name: "attn_output.weight", shape: ["queries", "width"] },
  { name: "attn_q.bias", shape: ["queries"], isOptional: true },
  { name: "attn_k.bias", shape: ["keys"], isOptional: true },
  { name: "attn_v.bias", shape: ["keys"], isOptional: true },
  { name: "attn_output.bias", shape: ["width"], isOptional: true },
  { name: "ffn_norm.weight", shape: ["width"] },
  { name: "ffn_gate.weight", shape: ["width", "ffnWidth"] },
  { name: "ffn_up.weight", shape: ["width", "ffnWidth"] },
  { name: "ffn_down.weight", shape: ["ffnWidth", "width"] },
  { name: "ffn_gate.bias", shape: ["ffnWidth"], isOptional: true },
  { name: "ffn_up.bias", shape: ["ffnWidth"], isOptional: true },
  { name: "ffn_down.bias", shape: ["width"], isOptional: true },
];

const headNorms: readonly TensorRow[] = [
  { name: "attn_q_norm.weight", shape: ["headDim"] },
  { name: "attn_k_norm.weight", shape: ["headDim"] },
];

const ropeFactorsName = "rope_freqs.weight";

/**
 * The graph of a model as the addon takes it, every tensor found and its shape and type checked.
 *
 * @throws NibbleError ERR_UNSUPPORTED for an architecture, a tensor or a type that the native engine does not have,
 * ERR_FORMAT where a tensor is missing or its shape is not what the metadata says, ERR_IO.
 */
export async function nativeModel(info: ModelInfo): Promise<NativeModelOptions> {
  const values = modelValues(info);
  const isKnown = Object.hasOwn(architectures, values.architecture);
  const architecture = isKnown ? architectures[values.architecture] : undefined;
  if (architecture === undefined) {
    const known = Object.keys(architectures).join(", ");
    const problem = `the native engine has the architectures ${known}, and not ${values.architecture}`;
    throw unsupported(info, "architecture", values.architecture, problem);
  }
  const tensors = new Map(info.tensors.map((tensor) => [tensor.name, tensor]));
  const numbers = readNumbers(info, values, tensors);
  const factors = await ropeFactors(info, tensors.get(ropeFactorsName), numbers.ropeDims / 2);
  const rope = ropeFrequencies(values, info.path, numbers.ropeDims, factors);
  const place = placer(info, tensors, numbers.lengths);
  const rows = architecture.normsHeads ? [...layerTensors, ...headNorms] : layerTensors;
  const options: NativeModelOptions = {
    files: info.files,
    config: {
      ...numbers.config,
      ropeHalves: architecture.ropeHalves,
      ropeScale: rope.scale,
      ropeFrequencies: rope.frequencies,
    },
    tensors: place(modelTensors, ""),
    layers: Array.from({ length: numbers.config.layers }, (_, i) => place(rows, `blk.${i}.`)),
  };
  refuseUnknownTensors(info, options);
  return options;
}

function unsupported(
  { path }: ModelInfo,
  what: string,
  value: string,
  problem: string,
): NibbleError<"ERR_UNSUPPORTED"> {
  const message = `${path}: ${problem}; try --engine llama.cpp`;
  return new NibbleError("ERR_UNSUPPORTED", message, { what, value });
}

function damaged(path: string, field: string, problem: string): NibbleError<"ERR_FORMAT"> {
  return new NibbleError("ERR_FORMAT", `${path}: ${field} ${problem}`, { path, field });
}

interface Numbers {
  readonly config: Omit<NativeModelConfig, "ropeHalves" | "ropeScale" | "ropeFrequencies">;
  readonly lengths: Readonly<Record<Length, number>>;
  readonly ropeDims: number;
}

function readNumbers(
  { path }: ModelInfo,
  values: ModelValues,
  tensors: ReadonlyMap<string, TensorInfo>,
): Numbers {
  const width = values.requiredCount("embedding_length");
  const heads = values.requiredCount("attention.head_count");
  const kvHeads = values.count("attention.head_count_kv") ?? heads;
  const headDim = values.count("attention.key_length") ?? width / heads;
  const valueDim = values.count("attention.value_length") ?? width / heads;
  const ropeDims = values.count("rope.dimension_count") ?? headDim;
  const ffnWidth = values.requiredCount("feed_forward_length");
  const layers = values.requiredCount("block_count");
  const vocabulary = tensors.get("token_embd.weight")?.shape[1] ?? 0;
  const rmsEps = values.real("attention.layer_norm_rms_epsilon") ?? 1e-5;
  const window = values.real("attention.sliding_window") ?? 0;
  const rules: readonly (readonly [boolean, string, string])[] = [
    [heads % kvHeads === 0, "attention.head_count_kv", `does not divide ${heads} heads`],
    [Number.isInteger(headDim), "attention.head_count", `does not divide the width ${width}`],
    [headDim % 2 === 0, "attention.key_length", "is odd: rotary embedding turns pairs of values"],
    [valueDim === headDim, "attention.value_length", `is ${valueDim}, and keys have ${headDim}`],
    [ropeDims % 2 === 0 && ropeDims <= headDim, "rope.dimension_count", "is odd or above a head"],
    [rmsEps >= 0, "attention.layer_norm_rms_epsilon", `is ${rmsEps}`],
    [Number.isSafeInteger(window) && window >= 0, "attention.sliding_window", `is ${window}`],
    // A table of more would be an attack: the largest models have some hundred.
    [layers <= 4096, "block_count", `is ${layers}`],
  ];
  for (const [holds, key, problem] of rules) {
    if (!holds) throw damaged(path, `metadata ${values.architecture}.${key}`, problem);
  }
  const scale = values.real("attention.scale") ?? 0;
  return {
    config: {
      layers,
      width,
      heads,
      kvHeads,
      headDim,
      ffnWidth,
      vocabulary,
      rmsEps,
      attentionScale: scale > 0 ? scale : 1 / Math.sqrt(headDim),
      window,
    },
    lengths: {
      width,
      vocabulary,
      queries: heads * headDim,
      keys: kvHeads * headDim,
      headDim,
      ffnWidth,
    },
    ropeDims,
  };
}

/** Llama 3's factors, which divide the frequencies: the only values that are read here. */
async function ropeFactors(
  info: ModelInfo,
  tensor: TensorInfo | undefined,
  pairs: number,
): Promise<Float32Array | undefined> {
  const piece = tensor?.pieces[0];
  if (tensor === undefined || piece === undefined) return undefined;
  if (tensor.type !== "F32" || tensor.shape.length !== 1 || tensor.shape[0] !== pairs) {
    const found = `${tensor.type} [${tensor.shape.join(", ")}]`;
    throw damaged(info.path, ropeFactorsName, `is ${found}, and has to be F32 [${pairs}]`);
  }
  const path = info.files[piece.file]?.path ?? info.path;
  const factors = new Float32Array(pairs);
  try {
    const file = await open(path);
    try {
      const bytes = new Uint8Array(factors.buffer);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, piece.offset);
      if (bytesRead < bytes.length) throw damaged(path, ropeFactorsName, "ends early");
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, path, "read");
  }
  if (factors.some((factor) => !(factor > 0 && factor < Infinity))) {
    throw damaged(info.path, ropeFactorsName, "has a factor that is not above 0");
  }
  return factors;
}

type Placer = (rows: readonly TensorRow[], prefix: string) => readonly NativePlace[];

function placer(
  info: ModelInfo,
  tensors: ReadonlyMap<string, TensorInfo>,
  lengths: Readonly<Record<Length, number>>,
): Placer {
  return (rows, prefix) =>
    rows.flatMap(({ name, shape, isOptional }) => {
      const tensor = tensors.get(prefix + name);
      if (tensor === undefined && isOptional) return [];
      if (tensor === undefined) throw damaged(info.path, `tensor ${prefix}${name}`, "is missing");
      const expected = shape.map((length) => lengths[length]);
      checkTensor(info, tensor, expected);
      const [piece] = tensor.pieces;
      if (piece === undefined || tensor.pieces.length > 1 || tensor.transform !== undefined) {
        throw unsupported(info, "tensor", tensor.name, `${tensor.name} does not lie in one piece`);
      }
      const [perRow = 1, count = 1] = expected;
      const { file, offset } = piece;
      return [{ name, file, offset, format: format(tensor.type).id, perRow, rows: count }];
    });
}

function checkTensor(info: ModelInfo, tensor: TensorInfo, expected: readonly number[]): void {
  const { name, type } = tensor;
  // Dimensions of 1 at the end say nothing.
  const shape = [...tensor.shape, 1, 1].slice(0, expected.length);
  const values = tensor.shape.reduce((product, length) => product * length, 1);
  const wanted = expected.reduce((product, length) => product * length, 1);
  if (shape.some((length, i) => length !== expected[i]) || values !== wanted) {
    const [is, has] = [tensor.shape, expected].map((lengths) => `[${lengths.join(", ")}]`);
    throw damaged(info.path, `tensor ${name}`, `is ${is ?? ""}, and by the metadata ${has ?? ""}`);
  }
  if (expected.length === 1 && type !== "F32") {
    const problem = `${name} is ${type}, and the native engine takes norms and biases in F32`;
    throw unsupported(info, "type", type, problem);
  }
  if (!format(type).codec) {
    const problem = `${name} is ${type}, which the native engine cannot multiply with`;
    throw unsupported(info, "type", type, problem);
  }
}

/** A tensor that has no place in the graph (experts, fused projections) would quietly be left out. */
function refuseUnknownTensors(info: ModelInfo, { tensors, layers }: NativeModelOptions): void {
  const known = new Set([
    ropeFactorsName,
    ...tensors.map(({ name }) => name),
    ...layers.flatMap((rows, i) => rows.map(({ name }) => `blk.${i}.${name}`)),
  ]);
  // Written by old converters; computed from the metadata since.
  const isHarmless = (name: string) =>
    name.endsWith(".attn_rot_embd") || name.endsWith("rope_freqs.weight");
  const unknown = info.tensors.find(({ name }) => !known.has(name) && !isHarmless(name));
  if (unknown !== undefined) {
    const problem = `the native engine's graph has no place for the tensor ${unknown.name}`;
    throw unsupported(info, "tensor", unknown.name, problem);
  }
}
