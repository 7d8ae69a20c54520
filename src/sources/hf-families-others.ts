import { checkLayerTypes, checkQueryScale, type Family } from "./hf-family.js";
import { usualKeys, usualRmsKeys } from "./hf-metadata.js";
import { attention, gated, headNorms, layerNorms, outside } from "./hf-names.js";
import { head, inLayers, linear, norm } from "./hf-rules.js";

/** Families with names, norms or an order of keys of their own: Gemma, Phi, GPT-2, GPT-NeoX, StarCoder 2, StableLM, Falcon. */

const layers = "layers";
const prefixes = ["model.", ""];
const noScaling = { kinds: [] } as const;
const addOne = { change: "add-one" } as const;
const bias = { bias: true } as const;
const alwaysBias = { bias: "always" } as const;

const gemmaKeys = [
  "context_length",
  "embedding_length",
  "block_count",
  "feed_forward_length",
  "attention.head_count",
  "attention.head_count_kv",
  "attention.layer_norm_rms_epsilon",
  "attention.key_length",
  "attention.value_length",
] as const;
const gemmaHeads = {
  headDim: { fallback: 256 },
  ownHeadDim: { fallback: { of: "headDim" } },
} as const;

export const gemma: Family = {
  architecture: "gemma",
  prefixes,
  activation: "gelu",
  tensors: [...outside(addOne), ...inLayers(layers, layerNorms(addOne), attention(), gated())],
  metadata: [...gemmaKeys, "unusual:rope.freq_base"],
  fields: gemmaHeads,
  rope: noScaling,
  only: { attention_bias: [false], use_bidirectional_attention: [false] },
  skip: /^lm_head\.weight$/,
};

const gemmaNorms = [
  ...norm("input_layernorm", "attn_norm", "width", addOne),
  ...norm("post_attention_layernorm", "post_attention_norm", "width", addOne),
  ...norm("pre_feedforward_layernorm", "ffn_norm", "width", addOne),
  ...norm("post_feedforward_layernorm", "post_ffw_norm", "width", addOne),
];

export const gemma2: Family = {
  ...gemma,
  architecture: "gemma2",
  tensors: [...outside(addOne), ...inLayers(layers, gemmaNorms, attention(), gated())],
  metadata: [
    ...gemmaKeys,
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "attention.sliding_window",
    "unusual:rope.freq_base",
  ],
  fields: {
    ...gemmaHeads,
    keyValueHeads: { fallback: 4 },
    attentionSoftcap: { fallback: 50 },
    finalSoftcap: { fallback: 30 },
    slidingWindow: { fallback: 4096 },
  },
  checks: [checkQueryScale(46), checkLayerTypes(2)],
};

export const gemma3: Family = {
  ...gemma,
  architecture: "gemma3",
  tensors: [
    ...outside(addOne),
    ...inLayers(layers, gemmaNorms, attention(), headNorms("add-one"), gated()),
  ],
  metadata: [...usualRmsKeys, "final_logit_softcapping", "attention.sliding_window"],
  fields: {
    ...gemmaHeads,
    context: { fallback: 131072 },
    heads: { fallback: 8 },
    keyValueHeads: { fallback: 4 },
    rmsEpsilon: { fallback: 1e-6 },
    vocabulary: { fallback: 262208 },
    slidingWindow: { fallback: 4096 },
  },
  rope: { kinds: ["linear"], base: 1e6, windowBase: 10000 },
  only: { ...gemma.only, attn_logit_softcapping: [], sliding_window_pattern: [6] },
  checks: [checkQueryScale(62), checkLayerTypes(6)],
};

/** The text of a model that sees; what it sees with is another GGUF. */
export const gemma3Vision: Family = {
  ...gemma3,
  prefixes: ["language_model.model.", "model.language_model.", "language_model."],
  skip: /(^|\.)lm_head\.weight$|^(model\.)?(vision_tower|multi_modal_projector)\./,
  nested: "text_config",
};

export const phi3: Family = {
  architecture: "phi3",
  prefixes,
  activation: "silu",
  tensors: [
    ...outside(),
    ...inLayers(
      layers,
      layerNorms(),
      linear("self_attn.qkv_proj", "attn_qkv", ["fused", "width"]),
      linear("self_attn.o_proj", "attn_output", ["width", "queries"]),
      linear("mlp.gate_up_proj", "ffn_up", ["gateUp", "width"]),
      linear("mlp.down_proj", "ffn_down", ["width", "feedForward"]),
    ),
  ],
  metadata: [
    "rope.scaling.attn_factor",
    "context_length",
    "phi3:rope.scaling.original_context_length",
    "embedding_length",
    "feed_forward_length",
    "block_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
    "attention.sliding_window",
  ],
  fields: { originalContext: { fallback: 4096 }, slidingWindow: { fallback: 0 } },
  rope: { kinds: ["longrope"], partial: true },
  only: { attention_bias: [false], mlp_bias: [false], lm_head_bias: [false] },
};

const transposed = { change: "transpose", bias: "always" } as const;

export const gpt2: Family = {
  architecture: "gpt2",
  prefixes: ["transformer.", ""],
  activation: "gelu",
  tensors: [
    ...linear("wte", "token_embd", ["vocabulary", "width"]),
    ...linear("wpe", "position_embd", ["positions", "width"]),
    ...norm("ln_f", "output_norm", "width", bias),
    ...head(),
    ...inLayers(
      "h",
      norm("ln_1", "attn_norm", "width", bias),
      linear("attn.c_attn", "attn_qkv", ["fused", "width"], transposed),
      linear("attn.c_proj", "attn_output", ["width", "width"], transposed),
      norm("ln_2", "ffn_norm", "width", bias),
      linear("mlp.c_fc", "ffn_up", ["feedForward", "width"], transposed),
      linear("mlp.c_proj", "ffn_down", ["width", "feedForward"], transposed),
    ),
  ],
  metadata: [
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_epsilon",
  ],
  fields: { feedForward: { names: ["n_inner"], fallback: { of: "width", times: 4 } } },
  rope: noScaling,
  only: {
    scale_attn_weights: [true],
    scale_attn_by_inverse_layer_idx: [false],
    add_cross_attention: [false],
  },
};

export const gptNeox: Family = {
  architecture: "gptneox",
  prefixes: ["gpt_neox.", ""],
  activation: "gelu",
  tensors: [
    ...linear("embed_in", "token_embd", ["vocabulary", "width"]),
    ...norm("final_layer_norm", "output_norm", "width", bias),
    ...linear("embed_out", "output", ["vocabulary", "width"]),
    ...inLayers(
      layers,
      layerNorms(bias),
      linear("attention.query_key_value", "attn_qkv", ["fused", "width"], {
        change: "ungroup",
        bias: "always",
      }),
      linear("attention.dense", "attn_output", ["width", "queries"], alwaysBias),
      linear("mlp.dense_h_to_4h", "ffn_up", ["feedForward", "width"], alwaysBias),
      linear("mlp.dense_4h_to_h", "ffn_down", ["width", "feedForward"], alwaysBias),
    ),
  ],
  metadata: [
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "rope.dimension_count",
    "attention.head_count",
    "use_parallel_residual",
    "attention.layer_norm_epsilon",
    "unusual:rope.freq_base",
  ],
  fields: { parallelResidual: { fallback: true }, partialRotary: { fallback: 0.25 } },
  rope: { kinds: [], partial: true },
  only: { attention_bias: [true] },
};

export const starcoder2: Family = {
  architecture: "starcoder2",
  prefixes,
  activation: "gelu",
  tensors: [
    ...outside(bias),
    ...inLayers(
      layers,
      layerNorms(bias),
      attention({ bias: "always", outputBias: "always" }),
      linear("mlp.c_fc", "ffn_up", ["feedForward", "width"], alwaysBias),
      linear("mlp.c_proj", "ffn_down", ["width", "feedForward"], alwaysBias),
    ),
  ],
  metadata: [...usualKeys, "attention.layer_norm_epsilon"],
  fields: { keyValueHeads: { fallback: 2 }, epsilon: { names: ["norm_epsilon"], fallback: 1e-5 } },
  rope: { kinds: ["linear", "yarn"] },
  only: { use_bias: [true], mlp_type: ["default"], norm_type: ["layer_norm"] },
};

export const stablelm: Family = {
  architecture: "stablelm",
  prefixes,
  activation: "silu",
  tensors: [
    ...outside(bias),
    ...inLayers(
      layers,
      norm("input_layernorm", "attn_norm", "width", bias),
      norm("post_attention_layernorm", "ffn_norm", "width", {
        bias: true,
        when: { parallelResidual: false },
      }),
      norm("self_attn.q_layernorm.norms.{i}", "attn_q_norm", "headDim", {
        stack: "heads",
        when: { keyNorms: true },
      }),
      norm("self_attn.k_layernorm.norms.{i}", "attn_k_norm", "headDim", {
        stack: "keyValueHeads",
        when: { keyNorms: true },
      }),
      attention({ bias: { attentionBias: true } }),
      gated(),
    ),
  ],
  metadata: [
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "rope.dimension_count",
    "attention.head_count",
    "attention.head_count_kv",
    "use_parallel_residual",
    "attention.layer_norm_epsilon",
    "unusual:rope.freq_base",
  ],
  fields: {
    attentionBias: { names: ["use_qkv_bias"] },
    epsilon: { fallback: 1e-5 },
    partialRotary: { names: ["partial_rotary_factor", "rope_pct"], fallback: 0.25 },
  },
  rope: { kinds: [], partial: true },
};

/** The first decoder has one head of keys and values, the new one several, and two norms before its parallel parts. */
export const falcon: Family = {
  architecture: "falcon",
  prefixes: ["transformer.", ""],
  activation: "gelu",
  tensors: [
    ...linear("word_embeddings", "token_embd", ["vocabulary", "width"]),
    ...norm("ln_f", "output_norm", "width", bias),
    ...head(),
    ...inLayers(
      "h",
      norm("input_layernorm", "attn_norm", "width", { bias: true, when: { parallelNorms: 1 } }),
      norm("ln_mlp", "attn_norm", "width", { bias: true, when: { parallelNorms: 2 } }),
      norm("ln_attn", "attn_norm_2", "width", { bias: true, when: { parallelNorms: 2 } }),
      linear("self_attention.query_key_value", "attn_qkv", ["fused", "width"], {
        change: "ungroup",
      }),
      linear("self_attention.dense", "attn_output", ["width", "queries"]),
      linear("mlp.dense_h_to_4h", "ffn_up", ["feedForward", "width"]),
      linear("mlp.dense_4h_to_h", "ffn_down", ["width", "feedForward"]),
    ),
  ],
  metadata: [
    "context_length",
    "tensor_data_layout",
    "embedding_length",
    "feed_forward_length",
    "block_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_epsilon",
    "unusual:rope.freq_base",
  ],
  fields: {
    context: { fallback: 2048 },
    feedForward: { names: ["ffn_hidden_size"], fallback: { of: "width", times: 4 } },
    keyValueHeads: { names: [], fallback: 1 },
    parallelNorms: { names: [], fallback: 1 },
  },
  rope: noScaling,
  only: { alibi: [false], bias: [false], multi_query: [true], parallel_attn: [true] },
};

export const falconNew: Family = {
  ...falcon,
  fields: {
    ...falcon.fields,
    keyValueHeads: { names: ["num_kv_heads", "n_head_kv"], fallback: { of: "heads" } },
    parallelNorms: {},
  },
  // The new decoder does not look at these.
  only: { alibi: [false], bias: [false] },
  where: { new_decoder_architecture: true },
};
