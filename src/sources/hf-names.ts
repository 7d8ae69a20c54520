/** Which rows of a tensor are reordered on the way to GGUF: those of the query heads, of the key heads, or none. */
export type Heads = "query" | "key";

/** What becomes of a tensor of a Hugging Face model. */
export interface NameRule {
  /** The name in GGUF; `{n}` is the layer. */
  readonly name: string;
  /** The rows are those of rotated heads: from halves to interleaved pairs. */
  readonly rotated?: Heads;
}

/** Names without their layer, by Hugging Face's name (`{n}` is the layer). */
export type NameTable = Readonly<Record<string, NameRule>>;

export const llamaNames: NameTable = {
  "model.embed_tokens.weight": { name: "token_embd.weight" },
  "model.norm.weight": { name: "output_norm.weight" },
  "lm_head.weight": { name: "output.weight" },
  "model.layers.{n}.input_layernorm.weight": { name: "blk.{n}.attn_norm.weight" },
  "model.layers.{n}.self_attn.q_proj.weight": { name: "blk.{n}.attn_q.weight", rotated: "query" },
  "model.layers.{n}.self_attn.k_proj.weight": { name: "blk.{n}.attn_k.weight", rotated: "key" },
  "model.layers.{n}.self_attn.v_proj.weight": { name: "blk.{n}.attn_v.weight" },
  "model.layers.{n}.self_attn.o_proj.weight": { name: "blk.{n}.attn_output.weight" },
  "model.layers.{n}.post_attention_layernorm.weight": { name: "blk.{n}.ffn_norm.weight" },
  "model.layers.{n}.mlp.gate_proj.weight": { name: "blk.{n}.ffn_gate.weight" },
  "model.layers.{n}.mlp.up_proj.weight": { name: "blk.{n}.ffn_up.weight" },
  "model.layers.{n}.mlp.down_proj.weight": { name: "blk.{n}.ffn_down.weight" },
};

/** Tensors that hold nothing but what the configuration says already. */
const ignored = /\.rotary_emb\.inv_freq$|\.attn\.(masked_)?bias$/;

export function isIgnored(name: string): boolean {
  return ignored.test(name);
}

/** The rule for a tensor, with its GGUF name filled in; undefined where the table has none. */
export function ggufName(
  table: NameTable,
  name: string,
): (NameRule & { layer?: number }) | undefined {
  const layer = /(?<=\.layers\.)\d+(?=\.)/.exec(name)?.[0];
  const rule =
    table[layer === undefined ? name : name.replace(`.layers.${layer}.`, ".layers.{n}.")];
  if (rule === undefined || layer === undefined) return rule;
  return { ...rule, name: rule.name.replace("{n}", layer), layer: Number(layer) };
}
