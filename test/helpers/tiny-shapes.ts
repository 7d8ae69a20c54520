import type { ReferenceConfig } from "./reference-config.js";

/** A tensor's name and its shape, in GGUF order. */
export type TinyShape = readonly [name: string, ...shape: number[]];

/** The tensors that a model of that configuration has. */
export function tinyShapes(config: ReferenceConfig, tied: boolean): TinyShape[] {
  const { width, vocabulary, learnedPositions, layers } = config;
  return [
    ["token_embd.weight", width, vocabulary],
    ...(learnedPositions ? [["position_embd.weight", width, learnedPositions] as const] : []),
    ...Array.from({ length: layers }, (_, i) =>
      layerShapes(config).map(([name, ...shape]): TinyShape => [`blk.${i}.${name}`, ...shape]),
    ).flat(),
    ...norm(config, "output_norm"),
    ...(tied ? [] : [["output.weight", width, vocabulary] as const]),
  ];
}

function layerShapes(config: ReferenceConfig): TinyShape[] {
  const { norms = "before", parallel } = config;
  const names = [
    ...(norms === "behind" ? [] : ["attn_norm"]),
    ...(parallel === "attn_norm_2" ? ["attn_norm_2"] : []),
    ...(norms === "behind" || (parallel && parallel !== "two norms") ? [] : ["ffn_norm"]),
    ...(norms === "before" ? [] : ["post_attention_norm", "post_ffw_norm"]),
  ];
  return [
    ...names.flatMap((name) => norm(config, name)),
    ...attention(config),
    ...(config.experts ? experts(config) : feedForward(config)),
  ];
}

function norm({ layerNorm, width }: ReferenceConfig, name: string): TinyShape[] {
  const bias = layerNorm ? [[`${name}.bias`, width] as const] : [];
  return [[`${name}.weight`, width], ...bias];
}

function matrix({ biases }: ReferenceConfig, name: string, from: number, to: number): TinyShape[] {
  const isQkv = /attn_(q|k|v|qkv)$/.test(name);
  const hasBias = biases === "all" || (biases === "qkv" && isQkv);
  return [[`${name}.weight`, from, to], ...(hasBias ? [[`${name}.bias`, to] as const] : [])];
}

function attention(config: ReferenceConfig): TinyShape[] {
  const { width, heads, kvHeads, headDim, fusedQkv } = config;
  const [queries, keys] = [heads * headDim, kvHeads * headDim];
  const projections = fusedQkv
    ? matrix(config, "attn_qkv", width, queries + 2 * keys)
    : [
        ...matrix(config, "attn_q", width, queries),
        ...matrix(config, "attn_k", width, keys),
        ...matrix(config, "attn_v", width, keys),
      ];
  return [
    ...projections,
    ...matrix(config, "attn_output", queries, width),
    ...queryNorms(config, queries, keys),
  ];
}

function queryNorms(
  { queryNorms: kind, headDim, heads, kvHeads }: ReferenceConfig,
  queries: number,
  keys: number,
): TinyShape[] {
  if (kind === undefined) return [];
  const each: Record<typeof kind, readonly [number[], number[]]> = {
    head: [[headDim], [headDim]],
    "own rows": [
      [headDim, heads],
      [headDim, kvHeads],
    ],
    row: [[queries], [keys]],
  };
  const [q, k] = each[kind];
  return [
    ["attn_q_norm.weight", ...q],
    ["attn_k_norm.weight", ...k],
  ];
}

function feedForward(config: ReferenceConfig): TinyShape[] {
  const { width, ffnWidth, noGate, fusedGate } = config;
  return [
    ...(noGate || fusedGate ? [] : matrix(config, "ffn_gate", width, ffnWidth)),
    ...matrix(config, "ffn_up", width, fusedGate ? 2 * ffnWidth : ffnWidth),
    ...matrix(config, "ffn_down", ffnWidth, width),
  ];
}

function experts({ width, experts: kind }: ReferenceConfig): TinyShape[] {
  if (kind === undefined) return [];
  const { count, width: inner, sharedWidth } = kind;
  const own: TinyShape[] = [
    ["ffn_gate_inp.weight", width, count],
    ["ffn_gate_exps.weight", width, inner, count],
    ["ffn_up_exps.weight", width, inner, count],
    ["ffn_down_exps.weight", inner, width, count],
  ];
  if (sharedWidth === undefined) return own;
  return [
    ...own,
    ["ffn_gate_inp_shexp.weight", width],
    ["ffn_gate_shexp.weight", width, sharedWidth],
    ["ffn_up_shexp.weight", width, sharedWidth],
    ["ffn_down_shexp.weight", sharedWidth, width],
  ];
}
