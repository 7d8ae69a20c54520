import { damaged, unsupported } from "./graph-errors.js";
import type { ModelValues } from "./model-values.js";

/** Rotary embedding as radians per token: whatever a model does to stretch it is done here. */
export interface RopeFrequencies {
  /** For every pair of values that is turned. */
  readonly frequencies: Float64Array;
  /** Of cosine and sine. */
  readonly scale: number;
}

/** What YaRN's own keys are where a file does not have them. */
const yarn = { betaFast: 32, betaSlow: 1 };

export interface RopeOptions {
  /** Values of a head that are turned. */
  readonly dims: number;
  /** By default the metadata's. */
  readonly base?: number | undefined;
  /** As many as pairs. */
  readonly factors?: Float32Array | undefined;
  /** Whatever the metadata say, nothing is stretched. */
  readonly isPlain?: boolean;
}

/**
 * Pair i of `dims` / 2 turns by base^(-2i / dims) per token, then: `linear` divides by the factor; `yarn` (Peng and
 * others, 2023, "YaRN") divides slow pairs, leaves fast ones, and mixes between; `factors` (those of Llama 3, or of Phi 3's
 * `longrope`) divide pair by pair.
 *
 * @throws NibbleError ERR_UNSUPPORTED for another kind of scaling, ERR_FORMAT for keys that make no sense.
 */
export function ropeFrequencies(
  values: ModelValues,
  path: string,
  { dims, base: ownBase, factors, isPlain = false }: RopeOptions,
): RopeFrequencies {
  const base = ownBase ?? positive(values, path, "rope.freq_base") ?? 10000;
  const kind = values.text("rope.scaling.type") ?? "linear";
  const factor = stretch(values);
  if (!(base > 0)) throw notPositive(values, path, "rope.freq_base_swa", base);
  const pairs = Float64Array.from({ length: dims / 2 }, (_, i) => base ** ((-2 * i) / dims));
  if (isPlain) return { frequencies: pairs, scale: 1 };
  const attention = positive(values, path, "rope.scaling.attn_factor") ?? 1;
  const divided = pairs.map((frequency, i) => frequency / (factors?.[i] ?? 1));
  if (kind === "none") return { frequencies: divided, scale: attention };
  if (kind === "linear" || kind === "longrope")
    return { frequencies: divided.map((f) => f / factor), scale: attention };
  if (kind !== "yarn") {
    const problem = `rope.scaling.type ${JSON.stringify(kind)} is not known to the native engine`;
    throw unsupported(path, "rope scaling", kind, problem);
  }
  const kept = keptParts(values, path, dims, base);
  const frequencies = divided.map((f, i) => f * (kept(i) + (1 - kept(i)) / factor));
  return { frequencies, scale: attention * yarnMagnitude(values, factor) };
}

function positive(values: ModelValues, path: string, key: string): number | undefined {
  const value = values.real(key);
  if (value === undefined || value > 0) return value;
  throw notPositive(values, path, key, value);
}

function notPositive({ architecture }: ModelValues, path: string, key: string, value: number) {
  return damaged(path, `metadata ${architecture}.${key}`, `is ${value}, not above 0`);
}

/** By how much the context was stretched; files without a factor, or with 0, were not. */
function stretch(values: ModelValues): number {
  const factor = values.real("rope.scaling.factor") ?? values.real("rope.scale_linear") ?? 0;
  return factor > 0 ? factor : 1;
}

/**
 * Which part of pair i's frequency is kept: 1 for pairs that turn more than betaFast times within the original context,
 * 0 for fewer than betaSlow, a line between.
 */
function keptParts(
  values: ModelValues,
  path: string,
  dims: number,
  base: number,
): (pair: number) => number {
  const original =
    values.count("rope.scaling.original_context_length") ?? values.requiredCount("context_length");
  const pairOf = (turns: number) =>
    (dims * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const fast = positive(values, path, "rope.scaling.yarn_beta_fast") ?? yarn.betaFast;
  const slow = positive(values, path, "rope.scaling.yarn_beta_slow") ?? yarn.betaSlow;
  const low = Math.max(0, Math.floor(pairOf(fast)));
  const high = Math.min(dims - 1, Math.ceil(pairOf(slow)));
  return (pair) => {
    const ramp = (pair - low) / Math.max(0.001, high - low);
    return 1 - Math.min(1, Math.max(0, ramp));
  };
}

/** YaRN sharpens attention: 1 + 0.1 ln(factor), over the same with the model's own multiplier where it has one. */
function yarnMagnitude(values: ModelValues, factor: number): number {
  if (factor <= 1) return 1;
  const grown = (multiplier: number) => 1 + 0.1 * multiplier * Math.log(factor);
  const multiplier = values.real("rope.scaling.yarn_log_multiplier") ?? 0;
  return grown(1) / grown(multiplier);
}
