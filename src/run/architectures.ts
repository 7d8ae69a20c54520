/** What the native graph has to know of an architecture, beside the numbers and tensors of a model. */
export interface Architecture {
  /** "layer": the mean is taken away and a bias is added; "rms": neither. */
  readonly norm: "rms" | "layer";
  /** Which pairs of a head's values rotary embedding turns: (2i, 2i + 1), or (i, i + dims / 2). */
  readonly rope: "neighbours" | "halves" | "none";
  /** A flag of the metadata that takes rotary embedding away where it is false. */
  readonly ropeFlag?: string;
  readonly activation: "silu" | "gelu";
  /** The feed-forward's gate: a matrix, the first half of ffn_up's rows, or none. */
  readonly gate: "matrix" | "fused" | "none";
  /** Biases of matrices that have to be there; otherwise they may. */
  readonly needsBiases?: true;
  /** Where an input has its norm: before attention and feed-forward (by default), behind them, or both. */
  readonly norms?: "before" | "behind" | "both";
  /** Tensors that stand for a norm, the first that is there. */
  readonly normSources?: { readonly attn: readonly string[]; readonly ffn: readonly string[] };
  /** Queries and keys are normed: each head, each head with a row of its own (or not at all), or the whole row. */
  readonly queryNorms?: "head" | "own rows" | "row";
  /**
   * Attention and feed-forward read the same residual stream: always, where the metadata say use_parallel_residual, or in
   * layers without ffn_norm.
   */
  readonly parallel?: "always" | "by metadata" | "without ffn_norm";
  readonly experts?: Experts;
  /** Positions are learned and added to the embedding. */
  readonly learnedPositions?: true;
  /** By default attention.sliding_window, where it is there, holds in every layer. */
  readonly windows?: Windows | "ignored";
  readonly scales?: Scales;
}

/** A mixture of experts, where the metadata count any. */
export interface Experts {
  readonly isRequired: boolean;
  /** The weights of the experts that a token goes to are divided by their sum. */
  readonly sumToOne: boolean;
  /** Every token goes to one more, by a gate of its own. */
  readonly shared?: true;
}

/** Layers with a window between layers without. */
export interface Windows {
  /** Where the metadata have no length; without one there are no windows. */
  readonly length?: number;
  /** The last of so many layers sees all tokens; metadata may say another number. */
  readonly period: number;
  /** Base of rotary embedding in layers with a window, where the metadata have none; else that of the others. */
  readonly ropeBase?: number;
  /** Rotary embedding is stretched there too. */
  readonly isStretched: boolean;
}

/** Numbers that a model's values are multiplied with or capped by. */
export interface Scales {
  /** The embedding is multiplied by the root of the width. */
  readonly embedsByWidth?: true;
  /** embedding_scale, residual_scale and logit_scale (a divisor) count. */
  readonly byMetadata?: true;
  /** Scores are scaled by the root of width / heads, not of a head's length, in models of so many layers. */
  readonly widthPerHeadLayers?: number;
  /** What attn_logit_softcapping and final_logit_softcapping are where they are missing; 0 is none. */
  readonly attentionCap?: number;
  readonly logitCap?: number;
}

const llama: Architecture = {
  norm: "rms",
  rope: "neighbours",
  activation: "silu",
  gate: "matrix",
  experts: { isRequired: false, sumToOne: true },
};
const qwen: Architecture = { norm: "rms", rope: "halves", activation: "silu", gate: "matrix" };
const gemma: Architecture = { ...qwen, activation: "gelu", scales: { embedsByWidth: true } };
const falcon: Architecture = { norm: "layer", rope: "halves", activation: "gelu", gate: "none" };
const gpt: Architecture = { ...falcon, needsBiases: true };

/** Architectures by the name that GGUF has for them. */
export const architectures: Readonly<Record<string, Architecture>> = {
  llama,
  qwen2: qwen,
  qwen3: { ...qwen, queryNorms: "head" },
  qwen2moe: { ...qwen, experts: { isRequired: true, sumToOne: false, shared: true } },
  qwen3moe: { ...qwen, queryNorms: "head", experts: { isRequired: true, sumToOne: true } },
  gemma,
  gemma2: {
    ...gemma,
    norms: "both",
    windows: { length: 4096, period: 2, isStretched: true },
    scales: { embedsByWidth: true, widthPerHeadLayers: 46, attentionCap: 50, logitCap: 30 },
  },
  gemma3: {
    ...gemma,
    norms: "both",
    queryNorms: "head",
    windows: { period: 6, ropeBase: 10000, isStretched: false },
    scales: { embedsByWidth: true, widthPerHeadLayers: 62, logitCap: 0 },
  },
  // Files give a window that llama.cpp does not apply either.
  phi3: { ...qwen, gate: "fused", windows: "ignored" },
  gpt2: { ...gpt, rope: "none", learnedPositions: true },
  gptneox: { ...gpt, parallel: "by metadata" },
  starcoder2: gpt,
  olmo2: {
    ...qwen,
    norms: "behind",
    queryNorms: "row",
    windows: { period: 4, isStretched: false },
  },
  granite: { ...llama, ropeFlag: "rope.scaling.finetuned", scales: { byMetadata: true } },
  stablelm: {
    ...qwen,
    norm: "layer",
    queryNorms: "own rows",
    parallel: "without ffn_norm",
    normSources: { attn: ["attn_norm"], ffn: ["ffn_norm", "attn_norm"] },
  },
  falcon: {
    ...falcon,
    parallel: "always",
    // With two norms the second is attention's.
    normSources: { attn: ["attn_norm_2", "attn_norm"], ffn: ["attn_norm"] },
  },
};
