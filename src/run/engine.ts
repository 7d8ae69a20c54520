import { argumentError } from "../errors.js";
import type { ThreadedCallOptions } from "../progress.js";
import type { ModelInfo } from "../sources/model-info.js";

/** Loads models and computes with them. A second engine is a second row of `loaders`. */
export interface Engine {
  readonly name: EngineName;
  /**
   * Loads a model's weights.
   *
   * @throws NibbleError ERR_UNSUPPORTED where the engine cannot run it, ERR_NATIVE_LOAD where the engine is not installed.
   */
  readonly load: (model: ModelInfo, options: EngineOptions) => Promise<LoadedModel>;
}

export interface EngineOptions {
  /** Compute threads, no more than cores. */
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
}

/** A model in memory. Token ids are those of its vocabulary. */
export interface LoadedModel {
  /** The token that begins a text, if the vocabulary has one. */
  readonly bos: number | undefined;
  /** Whether the model wants BOS before every text. */
  readonly addsBos: boolean;
  /** `special`: text such as `<|eot|>` becomes the token of that name. Without BOS. */
  readonly tokenize: (text: string, special: boolean) => readonly number[];
  /** Text of tokens that follow `before`; incomplete UTF-8 at the end becomes U+FFFD. */
  readonly detokenize: (tokens: readonly number[], before: readonly number[]) => string;
  /** Room for one sequence of up to `length` tokens. */
  readonly createContext: (length: number) => Promise<EngineContext>;
  readonly dispose: () => Promise<void>;
}

export interface Sampling {
  /** 0 takes the most probable token. */
  readonly temperature: number;
  /** Of the random numbers; without effect at temperature 0. */
  readonly seed?: number | undefined;
}

/** One sequence and its cache. Every call continues behind the tokens of the calls before. */
export interface EngineContext {
  /** Reads tokens in one go (a prompt). */
  readonly evaluate: (tokens: readonly number[]) => Promise<void>;
  /**
   * Reads tokens in one go. Element i is the natural logarithm of the probability that the model gave to
   * tokens[first + 1 + i] after seeing all before it: tokens.length - 1 - first values.
   */
  readonly logProbabilities: (tokens: readonly number[], first: number) => Promise<Float64Array>;
  /**
   * Reads tokens (at least one), then writes one at a time, each read in turn; ends with the model's own end of text
   * unless `pastEnd`.
   */
  readonly generate: (
    tokens: readonly number[],
    sampling: Sampling,
    pastEnd: boolean,
  ) => AsyncIterable<number>;
  /** Forgets all tokens. */
  readonly clear: () => Promise<void>;
}

/** What every function that runs a model takes. */
export interface RunOptions extends ThreadedCallOptions {
  /** Which engine computes; "llama.cpp" needs the package node-llama-cpp. */
  readonly engine?: EngineName | undefined;
}

const loaders = {
  "llama.cpp": () => import("./engine-llama-cpp.js").then(({ llamaCpp }) => llamaCpp),
} as const satisfies Record<string, () => Promise<Engine>>;

export type EngineName = "llama.cpp";

/** Every engine there is; the first is the default. */
export const engineNames = Object.keys(loaders) as readonly EngineName[];

/**
 * The engine of that name.
 *
 * @throws NibbleError ERR_ARGUMENT where there is none.
 */
export async function findEngine(name: string = engineNames[0] ?? ""): Promise<Engine> {
  const found = engineNames.find((known) => known === name);
  if (found === undefined) throw argumentError("engine", engineNames.join(" or "), name);
  return loaders[found]();
}
