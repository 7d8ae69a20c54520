import { NibbleError } from "../errors.js";
import type { JsonFile } from "./json-file.js";

/** A number or flag of the configuration, whatever the families call it. */
export type FieldName =
  | "layers"
  | "context"
  | "width"
  | "heads"
  | "keyValueHeads"
  | "headDim"
  | "ownHeadDim"
  | "feedForward"
  | "vocabulary"
  | "rmsEpsilon"
  | "epsilon"
  | "slidingWindow"
  | "experts"
  | "expertsUsed"
  | "expertFeedForward"
  | "sharedFeedForward"
  | "attentionSoftcap"
  | "finalSoftcap"
  | "attentionScale"
  | "embeddingScale"
  | "residualScale"
  | "logitScale"
  | "parallelResidual"
  | "attentionBias"
  | "feedForwardBias"
  | "keyNorms"
  | "parallelNorms"
  | "partialRotary"
  | "originalContext";

/** What a field is where config.json does not say: a value, or so many times (`times`) or a share (`per`) of another. */
export type Default =
  number | boolean | { readonly of: FieldName; readonly times?: number; readonly per?: FieldName };

interface Field {
  /** Names in config.json; the first that is there counts. */
  readonly names: readonly string[];
  readonly kind: "count" | "number" | "flag";
  readonly most?: number;
  /** A 0 switches it off. */
  readonly zero?: boolean;
  readonly fallback?: Default;
}

export type FieldOverrides = Readonly<Partial<Record<FieldName, Partial<Field>>>>;
/** llama.cpp's own limit for layers. */
const maxLayers = 512;
const maxLength = 2 ** 31 - 1;
/** Twice what llama.cpp takes; and a head is a few hundred values long. */
const maxExperts = 1024;
export const maxHeadDim = 2 ** 16;

const count = (...names: string[]): Field => ({ names, kind: "count" });
const number = (...names: string[]): Field => ({ names, kind: "number" });
const flag = (name: string, fallback = false): Field => ({ names: [name], kind: "flag", fallback });

const common: Readonly<Record<FieldName, Field>> = {
  layers: { ...count("num_hidden_layers", "n_layer"), most: maxLayers },
  context: count("max_position_embeddings", "n_positions", "n_ctx"),
  width: count("hidden_size", "n_embd"),
  heads: count("num_attention_heads", "n_head"),
  keyValueHeads: { ...count("num_key_value_heads"), fallback: { of: "heads" } },
  headDim: { ...count("head_dim"), most: maxHeadDim, fallback: { of: "width", per: "heads" } },
  ownHeadDim: { ...count("head_dim"), most: maxHeadDim },
  feedForward: count("intermediate_size"),
  vocabulary: count("vocab_size"),
  rmsEpsilon: number("rms_norm_eps"),
  epsilon: number("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"),
  slidingWindow: { ...count("sliding_window"), zero: true },
  experts: { ...count("num_local_experts", "num_experts"), most: maxExperts, zero: true },
  expertsUsed: { ...count("num_experts_per_tok"), zero: true },
  expertFeedForward: count("moe_intermediate_size"),
  sharedFeedForward: count("shared_expert_intermediate_size"),
  attentionSoftcap: { ...number("attn_logit_softcapping"), zero: true },
  finalSoftcap: { ...number("final_logit_softcapping"), zero: true },
  attentionScale: number("attention_multiplier"),
  embeddingScale: number("embedding_multiplier"),
  residualScale: number("residual_multiplier"),
  logitScale: number("logits_scaling"),
  parallelResidual: flag("use_parallel_residual"),
  attentionBias: flag("attention_bias"),
  feedForwardBias: flag("mlp_bias"),
  keyNorms: flag("qk_layernorm"),
  parallelNorms: { ...count("num_ln_in_parallel_attn"), fallback: 2 },
  partialRotary: { ...number("partial_rotary_factor", "rotary_pct"), fallback: 1 },
  originalContext: count("original_max_position_embeddings"),
};

/**
 * The fields of a config.json under one set of names. A field is read when it is asked for: what a family has no use for
 * may be anything.
 */
export class Fields {
  constructor(
    readonly config: JsonFile,
    readonly overrides: FieldOverrides = {},
  ) {}

  /**
   * The value or its default; undefined where there is neither.
   *
   * @throws NibbleError ERR_FORMAT for a value that is out of range or of another kind.
   */
  get(name: FieldName): number | boolean | undefined {
    const field = { ...common[name], ...this.overrides[name] };
    return readField(this.config, field) ?? this.#default(field.fallback);
  }

  /** A number that the model cannot be without; the error names config.json's field. */
  need(name: FieldName): number {
    const value = this.get(name);
    if (value !== undefined) return Number(value);
    const field = this.overrides[name]?.names?.[0] ?? common[name].names[0] ?? name;
    throw this.config.damaged(field, "expected a number, got nothing");
  }

  #default(fallback: Default | undefined): number | boolean | undefined {
    if (typeof fallback !== "object") return fallback;
    const per = fallback.per === undefined ? 1 : this.need(fallback.per);
    return Math.floor((this.need(fallback.of) * (fallback.times ?? 1)) / per);
  }
}

function readField(
  config: JsonFile,
  { names, kind, most, zero }: Field,
): number | boolean | undefined {
  const name = names.find((one) => config.has(one));
  if (name === undefined) return undefined;
  if (kind === "flag") return config.flag(name);
  if (zero === true && config.object[name] === 0) return 0;
  return kind === "count" ? config.count(name, most ?? maxLength) : config.positive(name);
}

/** A value of config.json that changes the result and that GGUF's architecture has no place for. */
export function unsupportedField(
  config: JsonFile,
  field: string,
  value: unknown,
  architecture: string,
  remedy = "such a model cannot be converted",
): NibbleError {
  const shown = typeof value === "string" ? value : JSON.stringify(value).slice(0, 80);
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${config.path}: ${field} is ${shown}, which GGUF's ${architecture} architecture does not have; ${remedy}`,
    { what: field, value: shown },
  );
}
