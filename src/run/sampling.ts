import { argumentError, NibbleError } from "../errors.js";
import { createRandom } from "./random.js";
import { filterTokens, relative, Scratch } from "./sampling-filters.js";

/** How the next token is chosen. The steps run in the order of these options, which is llama.cpp's. */
export interface SamplingOptions {
  /** Divides the positive and multiplies the negative logits of recent tokens; 1 is off. Above 0. */
  readonly repeatPenalty?: number | undefined;
  /** How many tokens are recent; 0 is off. */
  readonly repeatLastN?: number | undefined;
  /** Keeps the k most probable tokens; 0 is off. */
  readonly topK?: number | undefined;
  /** Keeps the fewest most probable tokens whose probabilities reach this sum, one at least; 1 is off. */
  readonly topP?: number | undefined;
  /** Keeps tokens at least this part as probable as the most probable one; 0 is off. */
  readonly minP?: number | undefined;
  /** Divides the logits; 0 takes the most probable token, whatever else is asked. */
  readonly temperature?: number | undefined;
  /** Of the random numbers, 0 to 2^32 - 1; without one every sampler differs. */
  readonly seed?: number | undefined;
}

/** What holds where an option is not given: llama.cpp's choices. */
export const samplingDefaults = {
  repeatPenalty: 1,
  repeatLastN: 64,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  temperature: 0.8,
} as const;

export interface Sampler {
  /** The seed in use, also where none was given: with it the same text can be made again. */
  readonly seed: number;
  /**
   * The id of the next token. NaN counts as impossible; equal logits count in the order of their ids.
   *
   * @param logits One per token of the vocabulary; is not changed.
   * @param history The tokens so far, the latest last.
   * @throws NibbleError ERR_UNSUPPORTED where no token is possible.
   */
  readonly choose: (logits: Float32Array, history: readonly number[]) => number;
}

/** Every option with a value. */
export type Settings = { readonly [K in keyof SamplingOptions]-?: number };

interface Range {
  readonly holds: (value: number) => boolean;
  readonly expected: string;
}

const fraction: Range = { holds: (x) => x >= 0 && x <= 1, expected: "a number from 0 to 1" };
const count: Range = {
  holds: (x) => Number.isSafeInteger(x) && x >= 0,
  expected: "an integer of at least 0",
};

const ranges: Readonly<Record<keyof SamplingOptions, Range>> = {
  repeatPenalty: { holds: (x) => x > 0 && x < Infinity, expected: "a number above 0" },
  repeatLastN: count,
  topK: count,
  topP: fraction,
  minP: fraction,
  temperature: { holds: (x) => x >= 0 && x < Infinity, expected: "a number of at least 0" },
  seed: {
    holds: (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32,
    expected: "an integer from 0 to 4294967295",
  },
};

/**
 * A sampler: repetition penalty, top-k, top-p, min-p, temperature, then one token by its probability. The same logits and
 * the same seed give the same tokens on every machine.
 *
 * @throws NibbleError ERR_ARGUMENT where an option is out of its range.
 */
export function createSampler(options: SamplingOptions = {}): Sampler {
  const settings = samplingSettings(options);
  const random = createRandom(settings.seed);
  const scratch = new Scratch();
  return {
    seed: settings.seed,
    choose(logits, history) {
      const values = penalize(logits, history, settings, scratch);
      const best = mostProbable(values);
      if (settings.temperature === 0) return best;
      const most = values[best] ?? 0;
      const kept = filterTokens(values, most, settings, scratch);
      return draw(values, kept, most, settings.temperature, random(), scratch) ?? best;
    },
  };
}

/** @throws NibbleError ERR_ARGUMENT where an option is out of its range. */
export function samplingSettings(options: SamplingOptions): Settings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const settings: Settings = { ...samplingDefaults, seed, ...Object.fromEntries(given) };
  for (const [name, { holds, expected }] of Object.entries(ranges)) {
    const value: unknown = settings[name as keyof Settings];
    if (typeof value !== "number" || !holds(value)) throw argumentError(name, expected, value);
  }
  return settings;
}

function penalize(
  logits: Float32Array,
  history: readonly number[],
  { repeatPenalty, repeatLastN }: Settings,
  scratch: Scratch,
): Float32Array {
  scratch.reserve(logits.length);
  if (repeatPenalty === 1 || repeatLastN === 0) return logits;
  const values = scratch.values.subarray(0, logits.length);
  values.set(logits);
  for (const id of new Set(history.slice(-repeatLastN))) {
    const logit = logits[id];
    // Dividing a negative logit would make its token more probable.
    if (logit !== undefined) values[id] = logit > 0 ? logit / repeatPenalty : logit * repeatPenalty;
  }
  return values;
}

function mostProbable(values: Float32Array): number {
  let best = -1;
  let most = -Infinity;
  for (let id = 0; id < values.length; id += 1) {
    const value = values[id] ?? NaN;
    if (value > most) {
      most = value;
      best = id;
    }
  }
  if (best >= 0) return best;
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    "the model gave no token a probability: its logits are NaN or -infinity; its weights may be damaged",
    { what: "logits", value: "NaN" },
  );
}

/** One of `ids`, by the probabilities that their logits have at that temperature. */
function draw(
  values: Float32Array,
  ids: Int32Array,
  most: number,
  temperature: number,
  random: number,
  { weights }: Scratch,
): number | undefined {
  let sum = 0;
  for (let i = 0; i < ids.length; i += 1) {
    sum += relative(values[ids[i] ?? 0] ?? 0, most, temperature);
    weights[i] = sum;
  }
  // The first id whose running sum is above the mark; weights of 0 are never met. random < 1, and so is its product.
  const mark = random * sum;
  let low = 0;
  let high = ids.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((weights[middle] ?? 0) > mark) high = middle;
    else low = middle + 1;
  }
  return ids[low];
}
