import { writeFileSync } from "node:fs";
import { format, type FormatName } from "../../src/formats.js";
import { loadAddon } from "../../src/native/load.js";
import { buildGguf, type BuiltEntry, type BuiltTensor } from "./gguf-builder.js";
import { quantizeEvenly } from "./quantize-evenly.js";
import { randomWeights } from "./random.js";
import { llama3Factors, type ReferenceConfig, type ReferenceModel } from "./reference-model.js";

export interface TinyOptions extends Partial<ReferenceConfig> {
  /** Of all matrices; F32 by default. */
  readonly type?: FormatName;
  /** The embedding is the output matrix too. */
  readonly tied?: boolean;
}

/** A random model: the file, and what the reference computes with. */
export interface TinyModel extends ReferenceModel {
  readonly metadata: readonly BuiltEntry[];
  readonly built: readonly BuiltTensor[];
}

const defaults = {
  architecture: "llama",
  layers: 2,
  width: 64,
  heads: 4,
  kvHeads: 2,
  ffnWidth: 96,
  vocabulary: 300,
  rmsEps: Math.fround(1e-5),
  ropeBase: 10000,
  rope: { kind: "none" },
} as const satisfies Partial<ReferenceConfig>;

export function tinyConfig(options: TinyOptions = {}): ReferenceConfig {
  const merged = { ...defaults, ...options };
  const headDim = options.headDim ?? merged.width / merged.heads;
  return { ...merged, headDim, ropeDims: options.ropeDims ?? headDim };
}

/** The same options and names give the same tensors: models of 1, 2 and 3 layers share their first ones. */
export function tinyModel(options: TinyOptions = {}): TinyModel {
  const config = tinyConfig(options);
  const { type = "F32", tied = false } = options;
  const tensors = new Map<string, Float32Array>();
  const built: BuiltTensor[] = [];
  const add = (name: string, values: Float32Array, shape: readonly number[], as: FormatName) => {
    const addon = loadAddon();
    const data = quantizeEvenly(as, values);
    tensors.set(name, addon.dequantizeRows(format(as).id, data));
    built.push({ name, type: as, shape, data });
  };
  for (const [name, ...shape] of shapes(config, tied)) {
    const [perRow = 1, rows] = shape;
    const count = perRow * (rows ?? 1);
    if (rows !== undefined) add(name, matrix(name, count, perRow), shape, type);
    else add(name, vector(name, count), shape, "F32");
  }
  if (config.rope.kind === "llama3") {
    const factors = Float32Array.from(llama3Factors(config));
    add("rope_freqs.weight", factors, [factors.length], "F32");
  }
  return {
    config,
    tensors,
    metadata: [...architectureKeys(config), ...vocabularyKeys(config)],
    built,
  };
}

/** Writes the model; what is given takes the place of the model's own. */
export function writeTinyModel(
  path: string,
  { metadata, built }: TinyModel,
  changes: { metadata?: readonly BuiltEntry[]; tensors?: readonly BuiltTensor[] } = {},
): string {
  const tensors = changes.tensors ?? built;
  writeFileSync(path, buildGguf({ metadata: changes.metadata ?? metadata, tensors }));
  return path;
}

/** Ids below the vocabulary, the first ones over and over rarely. */
export function someTokens(count: number, { vocabulary }: ReferenceConfig): number[] {
  return Array.from({ length: count }, (_, i) => (i * i * 31 + i * 7 + 1) % vocabulary);
}

function shapes(config: ReferenceConfig, tied: boolean): (readonly [string, ...number[]])[] {
  const { width, heads, kvHeads, headDim, ffnWidth, vocabulary, architecture } = config;
  const [queries, keys] = [heads * headDim, kvHeads * headDim];
  const layer = (blk: string): (readonly [string, ...number[]])[] => [
    [`${blk}attn_norm.weight`, width],
    [`${blk}attn_q.weight`, width, queries],
    [`${blk}attn_k.weight`, width, keys],
    [`${blk}attn_v.weight`, width, keys],
    [`${blk}attn_output.weight`, queries, width],
    [`${blk}ffn_norm.weight`, width],
    [`${blk}ffn_gate.weight`, width, ffnWidth],
    [`${blk}ffn_up.weight`, width, ffnWidth],
    [`${blk}ffn_down.weight`, ffnWidth, width],
    ...(architecture === "qwen2"
      ? ([
          [`${blk}attn_q.bias`, queries],
          [`${blk}attn_k.bias`, keys],
          [`${blk}attn_v.bias`, keys],
        ] as const)
      : []),
    ...(architecture === "qwen3"
      ? ([
          [`${blk}attn_q_norm.weight`, headDim],
          [`${blk}attn_k_norm.weight`, headDim],
        ] as const)
      : []),
  ];
  return [
    ["token_embd.weight", width, vocabulary],
    ...Array.from({ length: config.layers }, (_, i) => layer(`blk.${i}.`)).flat(),
    ["output_norm.weight", width],
    ...(tied ? [] : ([["output.weight", width, vocabulary]] as const)),
  ];
}

/** Normal, of such a size that a product is about as large as what went in. */
function matrix(name: string, count: number, perRow: number): Float32Array {
  const size = name === "token_embd.weight" ? 1 : 1 / Math.sqrt(perRow);
  return randomWeights(count, seedOf(name)).map((value) => (value / 0.02) * size);
}

/** Norms lie around 1, biases around 0. */
function vector(name: string, count: number): Float32Array {
  const middle = name.endsWith(".bias") ? 0 : 1;
  return randomWeights(count, seedOf(name)).map((value) => middle + value * 10);
}

/** FNV-1a. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

function architectureKeys(config: ReferenceConfig): BuiltEntry[] {
  const { architecture, rope, window, attentionScale } = config;
  const entry = (key: string, type: string, value: number | string) => ({
    key: `${architecture}.${key}`,
    type,
    value,
  });
  const keys = [
    { key: "general.architecture", type: "string", value: architecture },
    entry("block_count", "u32", config.layers),
    entry("context_length", "u32", 4096),
    entry("embedding_length", "u32", config.width),
    entry("feed_forward_length", "u32", config.ffnWidth),
    entry("attention.head_count", "u32", config.heads),
    entry("attention.head_count_kv", "u32", config.kvHeads),
    entry("attention.key_length", "u32", config.headDim),
    entry("attention.value_length", "u32", config.headDim),
    entry("attention.layer_norm_rms_epsilon", "f32", config.rmsEps),
    entry("rope.dimension_count", "u32", config.ropeDims),
    entry("rope.freq_base", "f32", config.ropeBase),
  ];
  if (window !== undefined) keys.push(entry("attention.sliding_window", "u32", window));
  if (attentionScale !== undefined) keys.push(entry("attention.scale", "f32", attentionScale));
  if (rope.kind === "linear" || rope.kind === "yarn") {
    keys.push(entry("rope.scaling.type", "string", rope.kind));
    keys.push(entry("rope.scaling.factor", "f32", rope.factor));
  }
  if (rope.kind === "yarn") {
    const { original, betaFast, betaSlow, attentionFactor } = rope;
    keys.push(entry("rope.scaling.original_context_length", "u32", original));
    const optional = {
      yarn_beta_fast: betaFast,
      yarn_beta_slow: betaSlow,
      attn_factor: attentionFactor,
    };
    for (const [key, value] of Object.entries(optional)) {
      if (value !== undefined) keys.push(entry(`rope.scaling.${key}`, "f32", value));
    }
  }
  return keys;
}

/** SentencePiece-style: unknown, begin, end, 256 bytes, and letters up to the vocabulary's length. */
function vocabularyKeys({ vocabulary }: ReferenceConfig): BuiltEntry[] {
  const bytes = Array.from({ length: 256 }, (_, i) => {
    const hex = i.toString(16).toUpperCase().padStart(2, "0");
    return { token: `<0x${hex}>`, type: 6 };
  });
  const letters = Array.from({ length: Math.max(0, vocabulary - 259) }, (_, i) => ({
    token: i === 0 ? "\u2581" : String.fromCodePoint(96 + i),
    type: 1,
  }));
  const special = [
    { token: "<unk>", type: 2 },
    { token: "<s>", type: 3 },
    { token: "</s>", type: 3 },
  ];
  const all = [...special, ...bytes, ...letters].slice(0, vocabulary);
  const list = (key: string, elementType: string, value: readonly unknown[]) => ({
    key: `tokenizer.ggml.${key}`,
    type: "array",
    elementType,
    value,
  });
  return [
    { key: "tokenizer.ggml.model", type: "string", value: "llama" },
    list(
      "tokens",
      "string",
      all.map(({ token }) => token),
    ),
    list(
      "scores",
      "f32",
      all.map((_, i) => -i),
    ),
    list(
      "token_type",
      "i32",
      all.map(({ type }) => type),
    ),
  ];
}
