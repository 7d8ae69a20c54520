/** What a tensor is for, as far as the choice of its type goes. */
export type Role =
  | "output"
  | "token_embd"
  | "attn_qkv"
  | "attn_kv_b"
  | "attn_v"
  | "attn_k"
  | "attn_q"
  | "attn_output"
  | "ffn_up"
  | "ffn_gate"
  | "ffn_down"
  | "other";

const rolesByName = new Map<string, Role>([
  ["output.weight", "output"],
  ["token_embd.weight", "token_embd"],
  ["per_layer_token_embd.weight", "token_embd"],
]);

/** Part of a name and its role; the first that a name contains counts. */
const rolesByPart: readonly (readonly [string, Role])[] = [
  ["attn_qkv.weight", "attn_qkv"],
  ["attn_kv_b.weight", "attn_kv_b"],
  ["attn_v.weight", "attn_v"],
  ["attn_k.weight", "attn_k"],
  ["attn_q.weight", "attn_q"],
  ["attn_output.weight", "attn_output"],
  ["ffn_up", "ffn_up"],
  ["ffn_gate", "ffn_gate"],
  ["ffn_down", "ffn_down"],
];

/** The role of a tensor by its GGUF name. */
export function roleOf(name: string): Role {
  const exact = rolesByName.get(name);
  if (exact !== undefined) return exact;
  return rolesByPart.find(([part]) => name.includes(part))?.[1] ?? "other";
}

/** Tensors that are counted together, as the place of one among them decides. */
export type Kind = "values" | "ffn_down" | "ffn_gate" | "ffn_up";

const kinds = new Map<Role, Kind>([
  ["attn_v", "values"],
  ["attn_qkv", "values"],
  ["attn_kv_b", "values"],
  ["ffn_down", "ffn_down"],
  ["ffn_gate", "ffn_gate"],
  ["ffn_up", "ffn_up"],
]);

/** The kind that a role is counted as, or undefined where no place matters. */
export function kindOf(role: Role): Kind | undefined {
  return kinds.get(role);
}

/** The layer of `blk.<n>.*`, or -1 for a tensor outside of the layers. */
export function layerOf(name: string): number {
  const digits = /^blk\.(\d+)/.exec(name)?.[1];
  return digits === undefined ? -1 : Number(digits);
}

interface KeptGroup {
  readonly reason: string;
  /** Whole names. */
  readonly names?: readonly string[];
  /** Parts of names. */
  readonly parts?: readonly string[];
}

/** The tensors that no recipe touches, and why. */
const keptGroups: readonly KeptGroup[] = [
  { reason: "a norm stays as it is", parts: ["_norm.weight"] },
  {
    reason: "the routing of experts stays as it is",
    parts: ["ffn_gate_inp.weight", "ffn_gate_tid2eid.weight"],
  },
  {
    reason: "embeddings of positions and token types stay as they are",
    names: ["position_embd.weight", "token_types.weight"],
  },
  {
    reason: "too small to be worth it",
    parts: [
      "altup",
      "laurel",
      "per_layer_model_proj",
      "indexer.k_proj.weight",
      "indexer.q_proj.weight",
    ],
  },
  { reason: "a small convolution stays as it is", parts: ["ssm_conv1d", "shortconv.conv.weight"] },
  {
    reason: "RWKV's small mixing weights stay as they are",
    parts: [
      ...["first", "w0", "w1", "w2", "v0", "v1", "v2", "a0", "a1", "a2", "g1", "g2"],
      ...["decay_w1", "decay_w2", "lerp_fused"],
    ].map((part) => `time_mix_${part}.weight`),
  },
  { reason: "relative position biases stay as they are", parts: ["attn_rel_b.weight"] },
  {
    reason: "this part of a vision encoder stays as it is",
    parts: [
      ".position_embd",
      "sam.pos_embd",
      "sam.neck.",
      "sam.net_",
      ".rel_pos",
      ".patch_embd",
      ".patch_merger",
    ],
  },
  { reason: "an audio codebook stays as it is", parts: ["a.rvq.codebook", "mm.a.code_embd"] },
];

/** Dimensions that count: `[64, 1, 1]` has one. */
function dimensions(shape: readonly number[]): number {
  return Math.max(1, shape.findLastIndex((length) => length > 1) + 1);
}

/** The halves of a LoRA adapter's pairs: they are as the adapter wants them, whatever the weight that they change. */
const adapterHalf = /\.weight\.lora_[ab]$/;

/**
 * Why a tensor keeps its type whatever the recipe, or undefined where it may be quantized.
 *
 * @param shape GGUF order, the length of a row first.
 */
export function keptReason(name: string, shape: readonly number[]): string | undefined {
  if (adapterHalf.test(name)) return undefined;
  if (dimensions(shape) < 2) return "1-D stays as it is";
  if (!name.endsWith("weight")) return "not a weight";
  return keptGroups.find(
    ({ names, parts }) =>
      names?.includes(name) === true || parts?.some((part) => name.includes(part)) === true,
  )?.reason;
}
