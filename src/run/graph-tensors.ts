import type { Architecture } from "./architectures.js";

/** Lengths that shapes are made of. */
export type Length =
  | ("width" | "vocabulary" | "positions" | "queries" | "keys" | "headDim" | "heads" | "kvHeads")
  | ("ffnWidth" | "experts" | "expertWidth" | "sharedWidth");

/** A tensor that the graph takes. */
export interface TensorRow {
  /** The graph's name. */
  readonly name: string;
  /** GGUF order: values in a row, then rows (then matrices). */
  readonly shape: readonly Length[];
  readonly isOptional?: boolean;
  /** Has to be F32: what is added or multiplied value by value. Vectors always are. */
  readonly isF32?: true;
  /** Names in the file, the first that is there; the graph's by default. */
  readonly sources?: readonly string[];
}

/** A tensor of the file that holds the rows of several of the graph's, in this order. */
export interface FusedTensor {
  readonly source: string;
  readonly parts: readonly string[];
}

/** Which fused tensors a file of the architecture may have. */
export function fusedTensors({ gate }: Architecture): readonly FusedTensor[] {
  const fused = ["weight", "bias"].map((kind) => ({
    source: `attn_qkv.${kind}`,
    parts: ["q", "k", "v"].map((part) => `attn_${part}.${kind}`),
  }));
  if (gate !== "fused") return fused;
  return [...fused, { source: "ffn_up.weight", parts: ["ffn_gate.weight", "ffn_up.weight"] }];
}

/** Tensors that stand once in a model. */
export function modelTensors(architecture: Architecture): readonly TensorRow[] {
  return [
    { name: "token_embd.weight", shape: ["width", "vocabulary"] },
    ...(architecture.learnedPositions
      ? ([{ name: "position_embd.weight", shape: ["width", "positions"] }] as const)
      : []),
    ...norm(architecture, "output_norm"),
    { name: "output.weight", shape: ["width", "vocabulary"], isOptional: true },
    { name: "output.bias", shape: ["vocabulary"], isOptional: true },
  ];
}

/** Tensors of every layer, named without `blk.N.`. */
export function layerTensors(
  architecture: Architecture,
  hasExperts: boolean,
): readonly TensorRow[] {
  const { norms = "before", normSources } = architecture;
  const before = norms !== "behind";
  return [
    ...(before ? norm(architecture, "attn_norm", normSources?.attn) : []),
    ...attention(architecture),
    ...queryNorms(architecture),
    ...(before ? norm(architecture, "ffn_norm", normSources?.ffn) : []),
    ...(hasExperts ? experts(architecture) : feedForward(architecture)),
    ...(norms !== "before"
      ? [...norm(architecture, "post_attention_norm"), ...norm(architecture, "post_ffw_norm")]
      : []),
  ];
}

function norm(
  architecture: Architecture,
  name: string,
  sources: readonly string[] = [name],
): TensorRow[] {
  const kinds = architecture.norm === "layer" ? ["weight", "bias"] : ["weight"];
  return kinds.map((kind) => ({
    name: `${name}.${kind}`,
    shape: ["width"],
    sources: sources.map((source) => `${source}.${kind}`),
  }));
}

function matrices(
  { needsBiases }: Architecture,
  rows: readonly (readonly [name: string, from: Length, to: Length])[],
): TensorRow[] {
  return rows.flatMap(([name, from, to]) => [
    { name: `${name}.weight`, shape: [from, to] },
    { name: `${name}.bias`, shape: [to], isOptional: !needsBiases },
  ]);
}

function attention(architecture: Architecture): TensorRow[] {
  return matrices(architecture, [
    ["attn_q", "width", "queries"],
    ["attn_k", "width", "keys"],
    ["attn_v", "width", "keys"],
    ["attn_output", "queries", "width"],
  ]);
}

function queryNorms({ queryNorms: kind }: Architecture): TensorRow[] {
  const rows = (queries: Length[], keys: Length[], isOptional: boolean): TensorRow[] => [
    { name: "attn_q_norm.weight", shape: queries, isF32: true, isOptional },
    { name: "attn_k_norm.weight", shape: keys, isF32: true, isOptional },
  ];
  if (kind === undefined) return [];
  switch (kind) {
    case "head":
      return rows(["headDim"], ["headDim"], false);
    case "own rows":
      return rows(["headDim", "heads"], ["headDim", "kvHeads"], true);
    case "row":
      return rows(["queries"], ["keys"], false);
  }
}

function feedForward(architecture: Architecture): TensorRow[] {
  const gate = architecture.gate === "none" ? [] : (["ffn_gate"] as const);
  return matrices(architecture, [
    ...gate.map((name) => [name, "width", "ffnWidth"] as const),
    ["ffn_up", "width", "ffnWidth"],
    ["ffn_down", "ffnWidth", "width"],
  ]);
}

function experts({ experts: kind }: Architecture): TensorRow[] {
  return [
    { name: "ffn_gate_inp.weight", shape: ["width", "experts"] },
    { name: "ffn_gate_exps.weight", shape: ["width", "expertWidth", "experts"] },
    { name: "ffn_up_exps.weight", shape: ["width", "expertWidth", "experts"] },
    { name: "ffn_down_exps.weight", shape: ["expertWidth", "width", "experts"] },
    ...(kind?.shared
      ? ([
          { name: "ffn_gate_shexp.weight", shape: ["width", "sharedWidth"] },
          { name: "ffn_up_shexp.weight", shape: ["width", "sharedWidth"] },
          { name: "ffn_down_shexp.weight", shape: ["sharedWidth", "width"] },
          { name: "ffn_gate_inp_shexp.weight", shape: ["width"] },
        ] as const)
      : []),
  ];
}
