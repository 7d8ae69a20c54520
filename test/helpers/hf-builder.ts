import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSafetensors, type BuiltWeight } from "./safetensors-builder.js";

/** A Llama of one layer: 2 heads of 4, 1 key head, hidden 8, 16 tokens. */
export const tinyConfig = {
  architectures: ["LlamaForCausalLM"],
  hidden_size: 8,
  intermediate_size: 12,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_hidden_layers: 1,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  vocab_size: 16,
  bos_token_id: 0,
  eos_token_id: 1,
};

const layer = "model.layers.0.";
/** Names and shapes, slowest dimension first. */
export const tinyShapes: Readonly<Record<string, readonly number[]>> = {
  "model.embed_tokens.weight": [16, 8],
  "model.norm.weight": [8],
  "lm_head.weight": [16, 8],
  [`${layer}input_layernorm.weight`]: [8],
  [`${layer}post_attention_layernorm.weight`]: [8],
  [`${layer}self_attn.q_proj.weight`]: [8, 8],
  [`${layer}self_attn.k_proj.weight`]: [4, 8],
  [`${layer}self_attn.v_proj.weight`]: [4, 8],
  [`${layer}self_attn.o_proj.weight`]: [8, 8],
  [`${layer}mlp.gate_proj.weight`]: [12, 8],
  [`${layer}mlp.up_proj.weight`]: [12, 8],
  [`${layer}mlp.down_proj.weight`]: [8, 12],
};

/** Every value of a tensor is its index: what was permuted shows. */
export function tinyWeight(name: string, shape = tinyShapes[name] ?? []): BuiltWeight {
  const count = shape.reduce((product, length) => product * length, 1);
  const values = Float32Array.from({ length: count }, (_, i) => i);
  return { name, dtype: "F32", shape, data: new Uint8Array(values.buffer) };
}

export function tinyWeights(): BuiltWeight[] {
  return Object.keys(tinyShapes).map((name) => tinyWeight(name));
}

const tokens = ["<s>", "</s>", "\u0120", "a", "b", "c", "d", "ab", "cd", "abcd", "\u0120a"];

/** A byte-level BPE of a few tokens. */
export const tinyTokenizer = {
  added_tokens: [
    { id: 0, content: "<s>", special: true },
    { id: 1, content: "</s>", special: true },
  ],
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  decoder: { type: "ByteLevel" },
  model: {
    type: "BPE",
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: ["a b", "c d", "ab cd", "\u0120 a"],
  },
};

export const tinyTokenizerConfig = {
  bos_token: "<s>",
  eos_token: { content: "</s>" },
  add_bos_token: true,
  chat_template: "{{ messages }}",
};

export interface HfFiles {
  readonly config?: unknown;
  readonly tokenizer?: unknown;
  readonly tokenizerConfig?: unknown;
  readonly weights?: readonly BuiltWeight[];
  /** Written last, in place of or besides the others; undefined leaves a file out. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly without?: readonly string[];
}

/** Writes a Hugging Face directory; what is not given is that of the tiny model. */
export function buildHfDirectory(folder: string, given: HfFiles = {}): string {
  mkdirSync(folder, { recursive: true });
  const files: Record<string, string | Uint8Array> = {
    "config.json": JSON.stringify(given.config ?? tinyConfig),
    "tokenizer.json": JSON.stringify(given.tokenizer ?? tinyTokenizer),
    "tokenizer_config.json": JSON.stringify(given.tokenizerConfig ?? tinyTokenizerConfig),
    "model.safetensors": buildSafetensors(given.weights ?? tinyWeights()),
    ...given.files,
  };
  for (const [name, content] of Object.entries(files)) {
    if (!given.without?.includes(name)) writeFileSync(join(folder, name), content);
  }
  return folder;
}
