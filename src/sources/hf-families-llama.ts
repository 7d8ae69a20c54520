import { checkHeadDim, checkNoRope, type Family } from "./hf-family.js";
import { usualRmsKeys } from "./hf-metadata.js";
import {
  attention,
  gated,
  headNorms,
  layerNorms,
  mixtralExperts,
  outside,
  qwenExperts,
  sharedExpert,
} from "./hf-names.js";
import { inLayers, norm } from "./hf-rules.js";

/** Families that are Llama with more or less: Llama, Mistral, Mixtral, SmolLM3, Granite, Qwen, OLMo 2. */

const layers = "layers";
const prefixes = ["model.", ""];
const common = { prefixes, activation: "silu" } as const;

const llamaTensors = [
  ...outside(),
  ...inLayers(
    layers,
    layerNorms(),
    attention({
      interleave: true,
      bias: { attentionBias: true },
      outputBias: { attentionBias: true },
    }),
    gated({ bias: { feedForwardBias: true } }),
  ),
];

const llamaKeys = [...usualRmsKeys, "vocab_size", "rope.dimension_count"] as const;
const llamaRope = { kinds: ["linear", "yarn", "llama3"] } as const;

/** transformers gives these classes a length of heads of their own, whatever config.json says. */
const ownHeadDim = { fallback: { of: "headDim" } } as const;

export const llama: Family = {
  ...common,
  architecture: "llama",
  tensors: llamaTensors,
  metadata: llamaKeys,
  fields: { ownHeadDim },
  rope: llamaRope,
};

/** The window of the first Mistral is not carried: up to its 4096 tokens there is none to see. */
export const mistral: Family = {
  ...llama,
  fields: { ownHeadDim, keyValueHeads: { fallback: 8 } },
};

export const mixtral: Family = {
  ...llama,
  tensors: [
    ...outside(),
    ...inLayers(layers, layerNorms(), attention({ interleave: true }), mixtralExperts),
  ],
  fields: { keyValueHeads: { fallback: 8 } },
  rope: { ...llamaRope, base: 1e6 },
};

export const smollm3: Family = {
  ...llama,
  architecture: "smollm3",
  fields: { keyValueHeads: { fallback: 4 } },
  rope: { ...llamaRope, base: 2e6 },
  only: { use_sliding_window: [false], no_rope_layer_interval: [4] },
  checks: [checkNoRope],
};

export const granite: Family = {
  ...llama,
  architecture: "granite",
  metadata: [...llamaKeys, "attention.scale", "embedding_scale", "residual_scale", "logit_scale"],
  fields: {
    ownHeadDim: { names: [] },
    attentionScale: { fallback: 1 },
    embeddingScale: { fallback: 1 },
    residualScale: { fallback: 1 },
    logitScale: { fallback: 1 },
  },
  checks: [checkHeadDim],
};

const qwenRope = { kinds: ["linear", "yarn"] } as const;
const qwenOnly = { use_sliding_window: [false] } as const;

export const qwen2: Family = {
  ...common,
  architecture: "qwen2",
  tensors: [
    ...outside(),
    ...inLayers(layers, layerNorms(), attention({ bias: "always" }), gated()),
  ],
  metadata: usualRmsKeys,
  rope: qwenRope,
  only: qwenOnly,
};

export const qwen3: Family = {
  ...common,
  architecture: "qwen3",
  tensors: [...outside(), ...inLayers(layers, layerNorms(), attention(), headNorms(), gated())],
  metadata: usualRmsKeys,
  fields: { headDim: { fallback: 128 }, ownHeadDim },
  rope: qwenRope,
  only: { ...qwenOnly, attention_bias: [false] },
};

const expertKeys = [
  ...usualRmsKeys,
  "expert_feed_forward_length",
  "expert_shared_feed_forward_length",
] as const;
const expertsOnly = { ...qwenOnly, decoder_sparse_step: [1], mlp_only_layers: [[]] } as const;

export const qwen2Moe: Family = {
  ...common,
  architecture: "qwen2moe",
  tensors: [
    ...outside(),
    ...inLayers(layers, layerNorms(), attention({ bias: "always" }), qwenExperts, sharedExpert),
  ],
  metadata: expertKeys,
  rope: qwenRope,
  only: { ...expertsOnly, norm_topk_prob: [false], qkv_bias: [true] },
};

export const qwen3Moe: Family = {
  ...common,
  architecture: "qwen3moe",
  tensors: [...outside(), ...inLayers(layers, layerNorms(), attention(), headNorms(), qwenExperts)],
  metadata: expertKeys,
  rope: qwenRope,
  only: { ...expertsOnly, norm_topk_prob: [true], attention_bias: [false] },
};

export const olmo2: Family = {
  ...common,
  architecture: "olmo2",
  tensors: [
    ...outside(),
    ...inLayers(
      layers,
      norm("post_attention_layernorm", "post_attention_norm"),
      norm("post_feedforward_layernorm", "post_ffw_norm"),
      norm("self_attn.q_norm", "attn_q_norm", "queries"),
      norm("self_attn.k_norm", "attn_k_norm", "keys"),
      attention(),
      gated(),
    ),
  ],
  metadata: usualRmsKeys,
  rope: qwenRope,
  only: { attention_bias: [false] },
};
