import { head, linear, norm, type Condition, type TensorRule } from "./hf-rules.js";

/** Names that most families share: those of Llama, as transformers has them. */

const embedding = linear("embed_tokens", "token_embd", ["vocabulary", "width"]);

/** What stands outside of the layers. */
export function outside(options: { readonly bias?: boolean; readonly change?: "add-one" } = {}) {
  return [...embedding, ...norm("norm", "output_norm", "width", options), ...head()];
}

/** The attention's projections; `interleave` where GGUF's architecture rotates neighbours. */
export function attention(
  options: {
    readonly interleave?: boolean;
    readonly bias?: Condition | "always";
    readonly outputBias?: Condition | "always";
  } = {},
): readonly TensorRule[] {
  const bias = options.bias === undefined ? {} : { bias: options.bias };
  const outputBias = options.outputBias === undefined ? {} : { bias: options.outputBias };
  const rotated = {
    ...bias,
    ...(options.interleave === true && { change: "interleave" as const }),
  };
  return [
    ...linear("self_attn.q_proj", "attn_q", ["queries", "width"], rotated),
    ...linear("self_attn.k_proj", "attn_k", ["keys", "width"], rotated),
    ...linear("self_attn.v_proj", "attn_v", ["keys", "width"], bias),
    ...linear("self_attn.o_proj", "attn_output", ["width", "queries"], outputBias),
  ];
}

/** Norms of each head's queries and keys. */
export function headNorms(change?: "add-one"): readonly TensorRule[] {
  const options = change === undefined ? {} : { change };
  return [
    ...norm("self_attn.q_norm", "attn_q_norm", "headDim", options),
    ...norm("self_attn.k_norm", "attn_k_norm", "headDim", options),
  ];
}

/** The norms before attention and before the feed-forward part. */
export function layerNorms(options: Parameters<typeof norm>[3] = {}): readonly TensorRule[] {
  return [
    ...norm("input_layernorm", "attn_norm", "width", options),
    ...norm("post_attention_layernorm", "ffn_norm", "width", options),
  ];
}

/** Gate, up and down of the feed-forward part. */
export function gated(options: { readonly bias?: Condition } = {}): readonly TensorRule[] {
  return [
    ...linear("mlp.gate_proj", "ffn_gate", ["feedForward", "width"], options),
    ...linear("mlp.up_proj", "ffn_up", ["feedForward", "width"], options),
    ...linear("mlp.down_proj", "ffn_down", ["width", "feedForward"], options),
  ];
}

const perExpert = { stack: "experts" } as const;

/** Mixtral's experts, one by one. */
export const mixtralExperts: readonly TensorRule[] = [
  ...linear("block_sparse_moe.gate", "ffn_gate_inp", ["experts", "width"]),
  ...linear(
    "block_sparse_moe.experts.{i}.w1",
    "ffn_gate_exps",
    ["feedForward", "width"],
    perExpert,
  ),
  ...linear(
    "block_sparse_moe.experts.{i}.w2",
    "ffn_down_exps",
    ["width", "feedForward"],
    perExpert,
  ),
  ...linear("block_sparse_moe.experts.{i}.w3", "ffn_up_exps", ["feedForward", "width"], perExpert),
];

/** Qwen's experts, one by one or, as newer files have them, all in one tensor. */
export const qwenExperts: readonly TensorRule[] = [
  ...linear("mlp.gate", "ffn_gate_inp", ["experts", "width"]),
  ...linear(
    "mlp.experts.{i}.gate_proj",
    "ffn_gate_exps",
    ["expertFeedForward", "width"],
    perExpert,
  ),
  ...linear("mlp.experts.{i}.up_proj", "ffn_up_exps", ["expertFeedForward", "width"], perExpert),
  ...linear(
    "mlp.experts.{i}.down_proj",
    "ffn_down_exps",
    ["width", "expertFeedForward"],
    perExpert,
  ),
  {
    from: "mlp.experts.gate_up_proj",
    to: ["ffn_gate_exps.weight", "ffn_up_exps.weight"],
    shape: ["experts", "expertGateUp", "width"],
    change: "split-halves",
  },
  {
    from: "mlp.experts.down_proj",
    to: ["ffn_down_exps.weight"],
    shape: ["experts", "width", "expertFeedForward"],
  },
];

export const sharedExpert: readonly TensorRule[] = [
  ...linear("mlp.shared_expert.gate_proj", "ffn_gate_shexp", ["sharedFeedForward", "width"]),
  ...linear("mlp.shared_expert.up_proj", "ffn_up_shexp", ["sharedFeedForward", "width"]),
  ...linear("mlp.shared_expert.down_proj", "ffn_down_shexp", ["width", "sharedFeedForward"]),
  ...linear("mlp.shared_expert_gate", "ffn_gate_inp_shexp", ["one", "width"]),
];

/** Tensors that hold nothing but what the configuration says already. */
const ignored = /\.rotary_emb\.inv_freq$|\.(attn|attention)\.(masked_)?bias$/;

export function isIgnored(name: string): boolean {
  return ignored.test(name);
}
