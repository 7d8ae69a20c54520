import { NibbleError } from "../errors.js";
import type { JsonFile } from "./json-file.js";
import { unsupportedField, type Fields } from "./hf-fields.js";

/** How a rotary embedding reaches beyond the context that it was trained for. */
export type RopeKind = "none" | "linear" | "yarn" | "llama3" | "longrope";

/** What a family's rotary embedding can be. */
export interface RopeRules {
  /** Kinds of scaling that GGUF carries for the architecture, besides none. */
  readonly kinds: readonly RopeKind[];
  /** Where config.json does not say. */
  readonly base?: number;
  /** Of layers with a window; undefined where all layers are alike. */
  readonly windowBase?: number;
  /** The share of a head's values that is rotated may be less than all. */
  readonly partial?: boolean;
}

/** Frequencies of a rotary embedding that GGUF holds as a tensor. */
export interface RopeTensor {
  readonly name: string;
  readonly values: Float32Array;
}

/** The metadata's values, by the last part of their key. */
export interface Rope {
  readonly kind: RopeKind;
  readonly base: number;
  readonly windowBase?: number;
  /** Values of a head that are rotated. */
  readonly dimensions: number;
  readonly scalingType?: string;
  readonly factor?: number;
  readonly originalContext?: number;
  readonly attentionFactor?: number;
  readonly yarn?: Readonly<Record<YarnKey, number | undefined>>;
  readonly tensors: readonly RopeTensor[];
}

type YarnKey = "extrapolation" | "attention" | "betaFast" | "betaSlow";

/** transformers' names of one kind of scaling. */
const kinds: Readonly<Record<string, RopeKind>> = {
  default: "none",
  linear: "linear",
  yarn: "yarn",
  llama3: "llama3",
  su: "longrope",
  longrope: "longrope",
};

/** Where a rotary embedding is described, and of which architecture it is. */
export interface RopeSource {
  readonly config: JsonFile;
  readonly fields: Fields;
  readonly rules: RopeRules;
  readonly architecture: string;
}

/**
 * Reads a rotary embedding: `rope_parameters` (also by kind of layer), or the older `rope_theta`, `rope_scaling`,
 * `rope_local_base_freq`.
 *
 * @throws NibbleError ERR_UNSUPPORTED for scaling that the architecture does not have, ERR_FORMAT.
 */
export function readRope(source: RopeSource): Rope {
  const { config, rules } = source;
  const all = config.child("rope_parameters") ?? config.child("rope_scaling");
  const full = all?.child("full_attention") ?? all;
  const window = all?.child("sliding_attention");
  const kind = kindOf(full, source);
  const windowBase =
    rules.windowBase &&
    (window?.optional("rope_theta") ?? config.optional("rope_local_base_freq") ?? rules.windowBase);
  const rope = {
    kind,
    base:
      full?.optional("rope_theta") ??
      config.optional("rope_theta") ??
      config.optional("rotary_emb_base") ??
      rules.base ??
      10000,
    ...(windowBase !== undefined && { windowBase }),
    dimensions: rotatedDimensions(full, source),
    tensors: [],
  };
  return full === undefined ? rope : { ...rope, ...scaled[kind](full, rope, source) };
}

function kindOf(full: JsonFile | undefined, { config, rules }: RopeSource): RopeKind {
  const name = full?.text("rope_type") ?? full?.text("type") ?? "default";
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === "none" || (kind !== undefined && rules.kinds.includes(kind))) return kind;
  const known = rules.kinds.length === 0 ? "no scaling" : `scaling ${rules.kinds.join(", ")}`;
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${config.path}: rope_scaling is ${name}, and for this architecture Nibble carries ${known}; ` +
      "quantize a GGUF of the model instead",
    { what: "rope_scaling", value: name },
  );
}

/** Upstream rounds the product, not the share. */
function rotatedDimensions(
  full: JsonFile | undefined,
  { config, rules, fields, architecture }: RopeSource,
): number {
  const share = full?.optional("partial_rotary_factor") ?? fields.need("partialRotary");
  const headDim = fields.need("headDim");
  if (share === 1) return headDim;
  if (rules.partial === true && share < 1) return Math.floor(share * headDim);
  throw unsupportedField(config, "partial_rotary_factor", share, architecture);
}

type Scaling = (parameters: JsonFile, rope: Rope, source: RopeSource) => Partial<Rope>;

const scaled: Readonly<Record<RopeKind, Scaling>> = {
  none: () => ({}),
  linear: (parameters) => ({ scalingType: "linear", factor: parameters.positive("factor") }),
  yarn,
  llama3: (parameters, rope) => ({
    tensors: [{ name: "rope_freqs.weight", values: llama3Factors(parameters, rope) }],
  }),
  longrope: longRope,
};

/** Without its own attention factor, YaRN's is 0.1 ln(factor) + 1, which every engine knows. */
function yarn(
  parameters: JsonFile,
  _rope: Rope,
  { config, fields, architecture }: RopeSource,
): Partial<Rope> {
  // The bounds between scaled and unscaled frequencies would be fractions.
  if (parameters.flag("truncate") === false) {
    throw unsupportedField(config, "rope_scaling.truncate", false, architecture);
  }
  const factor = parameters.positive("factor");
  const magnitude = (weight: number): number => 0.1 * weight * Math.log(Math.max(factor, 1)) + 1;
  const given = parameters.optional("attention_factor") ?? parameters.optional("attn_factor");
  const [mscale, all] = [parameters.optional("mscale"), parameters.optional("mscale_all_dim")];
  const ratio =
    mscale === undefined || all === undefined ? undefined : magnitude(mscale) / magnitude(all);
  const share = (given ?? ratio ?? magnitude(1)) / magnitude(1);
  return {
    scalingType: "yarn",
    factor,
    // Where it is not said, transformers takes the context for what the model was trained with.
    originalContext:
      parameters.optional("original_max_position_embeddings") ?? fields.need("context"),
    yarn: {
      extrapolation: parameters.optional("extrapolation_factor"),
      attention: given,
      betaFast: parameters.optional("beta_fast"),
      betaSlow: parameters.optional("beta_slow"),
    },
    // llama.cpp reads upstream's key and does not look at it; this one it multiplies with its own.
    ...(Math.abs(share - 1) > 1e-6 && { attentionFactor: share }),
  };
}

/**
 * Llama 3's factors of the frequencies: 1 for wavelengths well inside the trained context, `factor` for those beyond it,
 * smooth between. In single precision like upstream's, step by step: PyTorch divides a number by a tensor by multiplying
 * with the reciprocal.
 */
function llama3Factors(parameters: JsonFile, { base, dimensions }: Rope): Float32Array {
  const f = Math.fround;
  const factor = parameters.positive("factor", 8);
  const low = parameters.positive("low_freq_factor", 1);
  const high = parameters.positive("high_freq_factor", 4);
  const context = parameters.positive("original_max_position_embeddings", 8192);
  if (high <= low) throw parameters.damaged("high_freq_factor", `is ${high}, not above ${low}`);
  return Float32Array.from({ length: dimensions / 2 }, (_, i) => {
    const frequency = f(1 / f(base ** f((2 * i) / dimensions)));
    const wavelength = f(f(1 / frequency) * f(2 * Math.PI));
    if (wavelength < context / high) return 1;
    if (wavelength > context / low) return factor;
    const smooth = f(f(f(f(1 / wavelength) * context) - low) / (high - low));
    return 1 / f(f(f(1 - smooth) / factor) + smooth);
  });
}

/** Phi's two lists of factors: for contexts up to the trained one, and beyond it. */
function longRope(parameters: JsonFile, rope: Rope, { fields }: RopeSource): Partial<Rope> {
  const context = fields.need("context");
  const original = fields.need("originalContext");
  const scale = context / original;
  const list = (name: string): Float32Array => {
    const values = parameters.list(name);
    const half = rope.dimensions / 2;
    if (values.length === half && values.every((one) => typeof one === "number")) {
      return Float32Array.from(values);
    }
    throw parameters.damaged(name, `expected ${half} numbers, got ${values.length}`);
  };
  return {
    attentionFactor: scale > 1 ? Math.sqrt(1 + Math.log(scale) / Math.log(original)) : 1,
    tensors: [
      { name: "rope_factors_long.weight", values: list("long_factor") },
      { name: "rope_factors_short.weight", values: list("short_factor") },
    ],
  };
}
