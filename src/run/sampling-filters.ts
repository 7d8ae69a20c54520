import { largestTokens, possibleTokens, takeInOrder } from "./top-tokens.js";

/** Which tokens may be drawn; what the numbers mean is said in `SamplingOptions`. */
export interface FilterSettings {
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

/** Arrays of the vocabulary's length that are used again for every token. */
export class Scratch {
  values = new Float32Array(0);
  ids = new Int32Array(0);
  weights = new Float64Array(0);

  reserve(length: number): void {
    if (this.ids.length >= length) return;
    this.values = new Float32Array(length);
    this.ids = new Int32Array(length);
    this.weights = new Float64Array(length);
  }
}

/**
 * The ids that pass top-k, then top-p, then min-p, ascending: a filter that removes nothing must not change what is
 * drawn.
 *
 * @param most The highest of `values`.
 */
export function filterTokens(
  values: Float32Array,
  most: number,
  { topK, topP, minP }: FilterSettings,
  scratch: Scratch,
): Int32Array {
  const limited = topK > 0 && topK < values.length;
  let kept = limited
    ? largestTokens(values, topK, scratch.ids)
    : possibleTokens(values, scratch.ids);
  if (topP < 1) kept = nucleus(values, kept, most, topP, scratch);
  if (minP > 0) {
    // p >= minP * p_max, as logits: no probabilities have to be computed.
    const least = most + Math.log(minP);
    kept = kept.filter((id) => (values[id] ?? NaN) >= least);
  }
  return limited || topP < 1 ? kept.sort() : kept;
}

/** The most probable of `ids` until their probabilities (among `ids`) reach topP together. */
function nucleus(
  values: Float32Array,
  ids: Int32Array,
  most: number,
  topP: number,
  { weights }: Scratch,
): Int32Array {
  let sum = 0;
  for (let i = 0; i < ids.length; i += 1) {
    const weight = relative(values[ids[i] ?? 0] ?? 0, most, 1);
    weights[i] = weight;
    sum += weight;
  }
  // All tokens below this bar together have less than 1 - topP: the cut is above, and few are left to order. Half of
  // it, so that rounding cannot matter.
  const bar = ((1 - topP) * sum) / (2 * ids.length);
  let length = 0;
  for (let i = 0; i < ids.length; i += 1) {
    if ((weights[i] ?? 0) >= bar) ids[length++] = ids[i] ?? 0;
  }
  let reached = 0;
  return takeInOrder(values, ids.subarray(0, length), (id) => {
    reached += relative(values[id] ?? 0, most, 1);
    return reached < topP * sum;
  });
}

/** exp((value - most) / temperature), also where both are infinite. */
export function relative(value: number, most: number, temperature: number): number {
  return value === most ? 1 : Math.exp((value - most) / temperature);
}
