import { NibbleError } from "../errors.js";

/** The first token of the highest logit. */
export function highestLogit(logits: Float32Array): number {
  let top = 0;
  for (let i = 1; i < logits.length; i += 1) {
    if ((logits[i] ?? NaN) > (logits[top] ?? NaN)) top = i;
  }
  return top;
}

/**
 * ln of a sum of exp(logit - highest logit).
 *
 * @throws NibbleError ERR_UNSUPPORTED where logits were NaN or infinite, so that the sum is not a number.
 */
export function logOfSum(sum: number, whose: string): number {
  if (sum > 0) return Math.log(sum);
  throw badLogits(whose, sum);
}

/** What to say of logits that give no probabilities. */
export function badLogits(whose: string, value: number): NibbleError<"ERR_UNSUPPORTED"> {
  const reason = "its weights may be damaged, or the activations overflow";
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `the ${whose}'s logits are NaN or infinite: ${reason}`,
    { what: "logits", value: String(value) },
  );
}

export interface SplitMass {
  /** The first token of the highest logit. */
  readonly top: number;
  /** A token's logit less this is the natural logarithm of its probability. */
  readonly logSum: number;
  /** Probability of all tokens that were not named; summed by itself, for 1 - the others would keep no digits of it. */
  readonly rest: number;
}

/**
 * The probabilities of some tokens, and of all others together.
 *
 * @param named Token ids.
 * @param mask Zeros, one per token of the vocabulary; it is left so.
 * @throws NibbleError ERR_UNSUPPORTED where logits are NaN or infinite.
 */
export function splitMass(
  logits: Float32Array,
  named: Uint32Array,
  mask: Uint8Array,
  whose: string,
): SplitMass {
  for (const id of named) mask[id] = 1;
  const top = highestLogit(logits);
  const most = logits[top] ?? NaN;
  let inside = 0;
  let outside = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const weight = Math.exp((logits[i] ?? NaN) - most);
    if (mask[i] === 0) outside += weight;
    else inside += weight;
  }
  for (const id of named) mask[id] = 0;
  const sum = inside + outside;
  return { top, logSum: most + logOfSum(sum, whose), rest: outside / sum };
}
