import type { FieldName, Fields } from "./hf-fields.js";
import type { Rope } from "./hf-rope.js";
import type { MetadataEntry, Scalar, ScalarType } from "./model-info.js";

/** A value of the metadata: a field of the configuration, of its rotary embedding, or always the same. */
type Source =
  | { readonly field: FieldName; readonly required?: true }
  | { readonly rope: (rope: Rope) => number | string | undefined }
  | { readonly always: Scalar };

type Key = readonly [type: ScalarType, source: Source];

const required = (field: FieldName): Key => ["u32", { field, required: true }];
const requiredNumber = (field: FieldName): Key => ["f32", { field, required: true }];
const count = (field: FieldName): Key => ["u32", { field }];
const number = (field: FieldName): Key => ["f32", { field }];
const rope = (type: ScalarType, read: (rope: Rope) => number | string | undefined): Key => [
  type,
  { rope: read },
];

const keys = {
  block_count: required("layers"),
  context_length: required("context"),
  embedding_length: required("width"),
  feed_forward_length: required("feedForward"),
  "attention.head_count": required("heads"),
  "attention.head_count_kv": required("keyValueHeads"),
  "rope.scaling.type": rope("string", ({ scalingType }) => scalingType),
  "rope.scaling.factor": rope("f32", ({ factor }) => factor),
  "rope.scaling.original_context_length": rope("u32", ({ originalContext }) => originalContext),
  "rope.scaling.yarn_ext_factor": rope("f32", ({ yarn }) => yarn?.extrapolation),
  "rope.scaling.yarn_attn_factor": rope("f32", ({ yarn }) => yarn?.attention),
  "rope.scaling.yarn_beta_fast": rope("f32", ({ yarn }) => yarn?.betaFast),
  "rope.scaling.yarn_beta_slow": rope("f32", ({ yarn }) => yarn?.betaSlow),
  "rope.scaling.attn_factor": rope("f32", ({ attentionFactor }) => attentionFactor),
  "rope.freq_base": rope("f32", ({ base }) => base),
  "rope.freq_base_swa": rope("f32", ({ windowBase }) => windowBase),
  "rope.dimension_count": rope("u32", ({ dimensions }) => dimensions),
  "attention.layer_norm_rms_epsilon": requiredNumber("rmsEpsilon"),
  "attention.layer_norm_epsilon": requiredNumber("epsilon"),
  expert_count: count("experts"),
  expert_used_count: count("expertsUsed"),
  expert_feed_forward_length: count("expertFeedForward"),
  expert_shared_feed_forward_length: count("sharedFeedForward"),
  "attention.key_length": count("ownHeadDim"),
  "attention.value_length": count("ownHeadDim"),
  vocab_size: required("vocabulary"),
  attn_logit_softcapping: number("attentionSoftcap"),
  final_logit_softcapping: number("finalSoftcap"),
  "attention.sliding_window": count("slidingWindow"),
  "attention.scale": number("attentionScale"),
  embedding_scale: number("embeddingScale"),
  residual_scale: number("residualScale"),
  logit_scale: number("logitScale"),
  use_parallel_residual: ["bool", { field: "parallelResidual" }],
  tensor_data_layout: ["string", { always: "jploski" }],
  /** Phi has its trained context whether it is scaled or not, and a window of 0 where there is none. */
  "phi3:rope.scaling.original_context_length": required("originalContext"),
  /** Upstream leaves the base out for some architectures: then it is there only where it is not the usual one. */
  "unusual:rope.freq_base": rope("f32", ({ base }) => (base === 10000 ? undefined : base)),
} as const satisfies Record<string, Key>;

export type MetadataKey = keyof typeof keys;

/** The keys of most architectures. */
export const usualKeys = [
  "block_count",
  "context_length",
  "embedding_length",
  "feed_forward_length",
  "attention.head_count",
  "attention.head_count_kv",
  "rope.scaling.type",
  "rope.scaling.factor",
  "rope.scaling.original_context_length",
  "rope.scaling.yarn_ext_factor",
  "rope.scaling.yarn_attn_factor",
  "rope.scaling.yarn_beta_fast",
  "rope.scaling.yarn_beta_slow",
  "rope.scaling.attn_factor",
  "rope.freq_base",
  "rope.freq_base_swa",
] as const satisfies readonly MetadataKey[];

/** The usual keys with an RMS norm and, at their end, what only some models have. */
export const usualRmsKeys = [
  ...usualKeys,
  "attention.layer_norm_rms_epsilon",
  "expert_count",
  "expert_used_count",
  "attention.key_length",
  "attention.value_length",
] as const satisfies readonly MetadataKey[];

/**
 * The metadata `<architecture>.*` in the order of `list`.
 *
 * @throws NibbleError ERR_FORMAT where a field is missing that the architecture cannot be without.
 */
export function architectureMetadata(
  architecture: string,
  list: readonly MetadataKey[],
  fields: Fields,
  ropeValues: Rope,
): readonly MetadataEntry[] {
  return list.flatMap((name) => {
    const [type, source] = keys[name] as Key;
    const value = valueOf(source, fields, ropeValues);
    if (value === undefined) return [];
    const key = `${architecture}.${name.slice(name.indexOf(":") + 1)}`;
    return [{ key, type, value: type === "f32" ? Math.fround(Number(value)) : value }];
  });
}

function valueOf(source: Source, fields: Fields, ropeValues: Rope): Scalar | undefined {
  if ("always" in source) return source.always;
  if ("rope" in source) return source.rope(ropeValues);
  if (source.required === true) return fields.need(source.field);
  return fields.get(source.field);
}
