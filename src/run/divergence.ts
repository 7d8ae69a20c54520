import { argumentError } from "../errors.js";
import { highestLogit, logOfSum, splitMass } from "./log-softmax.js";
import type { ReferenceRecord } from "./reference-record.js";

/** A mean and its standard error (of the mean: the positions count as independent); NaN from one position alone. */
export interface Estimate {
  readonly value: number;
  readonly standardError: number;
}

/** How a model's predictions differ from a reference's. Probabilities are parts of 1, divergences nats. */
export interface DivergenceReport {
  /** Tokens that were predicted by both. */
  readonly positions: number;
  readonly perplexity: Estimate;
  readonly referencePerplexity: Estimate;
  /** ln(perplexity / referencePerplexity); its error knows that both saw the same tokens. */
  readonly logPerplexityRatio: Estimate;
  readonly perplexityRatio: Estimate;
  /** Kullback-Leibler divergence of the model from the reference: sum of p_ref ln(p_ref / p). */
  readonly kld: {
    readonly mean: Estimate;
    readonly median: number;
    readonly percentile90: number;
    readonly percentile95: number;
    readonly percentile99: number;
    readonly percentile999: number;
    readonly maximum: number;
  };
  /** Part of the positions where both give the same token the highest probability. */
  readonly sameTop: Estimate;
  /** Of the token that came: p - p_ref. */
  readonly probabilityChange: { readonly mean: Estimate; readonly rms: Estimate };
}

export interface Divergence {
  /**
   * One position.
   *
   * @param reference The reference's logits, one per token of the vocabulary.
   * @param logits The model's, as many.
   * @param target The token that came.
   * @returns The model's negative log-likelihood of the target.
   * @throws NibbleError ERR_ARGUMENT where lengths differ or the target is no token of the vocabulary, ERR_UNSUPPORTED
   *   where logits are NaN.
   */
  readonly add: (reference: Float32Array, logits: Float32Array, target: number) => number;
  /**
   * One position whose reference is known by its most probable tokens only. All other tokens count as one: the
   * divergence is a lower bound (log-sum inequality), and exact where the record holds the whole vocabulary.
   *
   * @throws NibbleError as `add`, and ERR_ARGUMENT where the record is of another target.
   */
  readonly addRecord: (record: ReferenceRecord, logits: Float32Array, target: number) => number;
  /** Mean divergence so far. */
  readonly meanKld: () => number;
  /** @throws NibbleError ERR_ARGUMENT where nothing was added. */
  readonly report: () => DivergenceReport;
}

/** Collects what `llama-perplexity --kl-divergence` reports, but from whole logits: that reads log-probabilities of 16 bits. */
export function createDivergence(): Divergence {
  const sums = {
    nll: new Sum(),
    referenceNll: new Sum(),
    // var(a) + var(b) - 2 cov(a, b) = var(a - b): the covariance formula, without its cancellation.
    nllChange: new Sum(),
    kld: new Sum(),
    change: new Sum(),
    changeSquared: new Sum(),
  };
  const klds = new Values();
  let sameTop = 0;
  let mask = new Uint8Array(0);
  const count = (position: Position): number => {
    const change = Math.exp(-position.nll) - Math.exp(-position.referenceNll);
    sums.nll.add(position.nll);
    sums.referenceNll.add(position.referenceNll);
    sums.nllChange.add(position.nll - position.referenceNll);
    sums.kld.add(position.kld);
    sums.change.add(change);
    sums.changeSquared.add(change * change);
    klds.add(position.kld);
    if (position.sameTop) sameTop += 1;
    return position.nll;
  };
  return {
    add(reference, logits, target) {
      checkPosition(reference.length, logits, target);
      return count(compare(reference, logits, target));
    },
    addRecord(record, logits, target) {
      checkPosition(record.vocabularySize, logits, target);
      if (record.target !== target)
        throw argumentError("target", `the reference's (${record.target})`, target);
      if (mask.length !== logits.length) mask = new Uint8Array(logits.length);
      return count(compareRecord(record, logits, mask));
    },
    meanKld: () => sums.kld.mean().value,
    report() {
      const positions = klds.length;
      if (positions === 0) throw argumentError("positions", "at least 1", positions);
      const logRatio = sums.nllChange.mean();
      const same = sameTop / positions;
      return {
        positions,
        perplexity: exponential(sums.nll.mean()),
        referencePerplexity: exponential(sums.referenceNll.mean()),
        logPerplexityRatio: logRatio,
        perplexityRatio: exponential(logRatio),
        kld: { mean: sums.kld.mean(), ...percentiles(klds.sorted()) },
        sameTop: { value: same, standardError: Math.sqrt((same * (1 - same)) / (positions - 1)) },
        probabilityChange: {
          mean: sums.change.mean(),
          rms: squareRoot(sums.changeSquared.mean()),
        },
      };
    },
  };
}

function checkPosition(vocabularySize: number, logits: Float32Array, target: number): void {
  if (logits.length !== vocabularySize) {
    const expected = `as many as the reference's (${vocabularySize}): both models need the same vocabulary`;
    throw argumentError("logits", expected, logits.length);
  }
  if (Number.isInteger(target) && target >= 0 && target < logits.length) return;
  throw argumentError("target", `a token id from 0 to ${logits.length - 1}`, target);
}

interface Position {
  readonly nll: number;
  readonly referenceNll: number;
  readonly kld: number;
  readonly sameTop: boolean;
}

/**
 * With x = logit - highest logit and Z = sum of exp x: ln p = x - ln Z, so
 * KLD = sum of exp(r) (r - x) / Z_r - (ln Z_r - ln Z). One pass over both, in double precision.
 */
function compare(reference: Float32Array, logits: Float32Array, target: number): Position {
  const topReference = highestLogit(reference);
  const top = highestLogit(logits);
  const mostReference = reference[topReference] ?? NaN;
  const most = logits[top] ?? NaN;
  let sumReference = 0;
  let sum = 0;
  let weighted = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const r = (reference[i] ?? NaN) - mostReference;
    const x = (logits[i] ?? NaN) - most;
    const weight = Math.exp(r);
    sumReference += weight;
    sum += Math.exp(x);
    // p ln(p / q) is 0 at p = 0, also where q is 0 too.
    if (weight > 0) weighted += weight * (r - x);
  }
  const logReference = logOfSum(sumReference, "reference model");
  const log = logOfSum(sum, "model");
  const kld = weighted / sumReference - (logReference - log);
  return {
    nll: log - ((logits[target] ?? NaN) - most),
    referenceNll: logReference - ((reference[target] ?? NaN) - mostReference),
    // Rounding can leave a little less than nothing.
    kld: Math.max(0, kld),
    sameTop: top === topReference,
  };
}

/**
 * KLD >= sum over the named tokens of p ln(p / q) + r ln(r / s), where r and s are what p and q give to all others.
 * Each p ln(p / q) has q - p added: in sum that is nothing, as both add up to 1, but so the rounding of p to f32 counts
 * only in its square, and no term is below 0.
 */
function compareRecord(record: ReferenceRecord, logits: Float32Array, mask: Uint8Array): Position {
  const { ids, logProbabilities, residual, target, targetLogProbability } = record;
  const { top, logSum, rest } = splitMass(logits, ids, mask, "model");
  const logProbability = (id: number): number => (logits[id] ?? NaN) - logSum;
  let kld = divergenceTerm(Math.log(residual), Math.log(rest));
  for (let k = 0; k < ids.length; k += 1) {
    kld += divergenceTerm(logProbabilities[k] ?? NaN, logProbability(ids[k] ?? 0));
  }
  return {
    nll: -logProbability(target),
    referenceNll: -targetLogProbability,
    kld: Math.max(0, kld),
    sameTop: top === ids[0],
  };
}

/** p ln(p / q) - p + q of logarithms; q where p is 0. */
function divergenceTerm(logP: number, logQ: number): number {
  const p = Math.exp(logP);
  const q = Math.exp(logQ);
  return p > 0 ? p * (logP - logQ) - p + q : q;
}

/** Sum and sum of squared distances from the mean (Welford, 1962). */
class Sum {
  #count = 0;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    this.#count += 1;
    // Infinity - Infinity is NaN; an infinite value makes the mean infinite and leaves no error to tell.
    if (!Number.isFinite(value) || !Number.isFinite(this.#mean)) {
      this.#mean += value;
      this.#squares = NaN;
      return;
    }
    const distance = value - this.#mean;
    this.#mean += distance / this.#count;
    this.#squares += distance * (value - this.#mean);
  }

  mean(): Estimate {
    const variance = this.#squares / this.#count;
    return { value: this.#mean, standardError: Math.sqrt(variance / (this.#count - 1)) };
  }
}

/** A list of numbers that takes 4 bytes each. */
class Values {
  #values = new Float32Array(1024);
  length = 0;

  add(value: number): void {
    if (this.length === this.#values.length) {
      const longer = new Float32Array(2 * this.length);
      longer.set(this.#values);
      this.#values = longer;
    }
    this.#values[this.length] = value;
    this.length += 1;
  }

  sorted(): Float32Array {
    return this.#values.slice(0, this.length).sort();
  }
}

function percentiles(sorted: Float32Array): Omit<DivergenceReport["kld"], "mean"> {
  return {
    median: percentile(sorted, 0.5),
    percentile90: percentile(sorted, 0.9),
    percentile95: percentile(sorted, 0.95),
    percentile99: percentile(sorted, 0.99),
    percentile999: percentile(sorted, 0.999),
    maximum: percentile(sorted, 1),
  };
}

/** On the line between the two nearest values. */
function percentile(sorted: Float32Array, part: number): number {
  const place = part * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? NaN;
  const rest = place - Math.floor(place);
  return rest === 0 || below === above ? below : below + rest * (above - below);
}

/** The error goes through the slope of exp. */
function exponential({ value, standardError }: Estimate): Estimate {
  return { value: Math.exp(value), standardError: Math.exp(value) * standardError };
}

/** The error goes through the slope of the root. */
function squareRoot({ value, standardError }: Estimate): Estimate {
  const root = Math.sqrt(value);
  return { value: root, standardError: root === 0 ? 0 : standardError / (2 * root) };
}
