import { argumentError } from "../errors.js";
import type { NativeImportance } from "../native/binding.js";
import type { ThreadedCallOptions } from "../progress.js";
import type { ModelInfo } from "../sources/model-info.js";
import type { SamplingOptions } from "./sampling.js";

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
  /** llama.cpp's name of the pre-tokenizer, where the model's is not known; native engine only. */
  readonly pre?: string | undefined;
  /** How keys and values of earlier tokens are kept; F16 by default. */
  readonly cache?: CacheType | undefined;
}

export type CacheType = "F16" | "Q8_0";

/** A model in memory. Token ids are those of its vocabulary. */
export interface LoadedModel {
  /** The token that begins a text, if the vocabulary has one. */
  readonly bos: number | undefined;
  /** Whether the model wants BOS before every text. */
  readonly addsBos: boolean;
  /** `special`: text such as `<|eot|>` becomes the token of that name. Without BOS. */
  readonly tokenize: (text: string, special: boolean) => number[];
  /** The tokens after which the model has nothing more to say. */
  readonly isEnd: (token: number) => boolean;
  /** Text of tokens that come one by one behind `before`. */
  readonly decoder: (before: readonly number[]) => TokenDecoder;
  /** Room for one sequence of up to `length` tokens. */
  readonly createContext: (length: number) => Promise<EngineContext>;
  readonly dispose: () => Promise<void>;
}

/** Never cuts a character: bytes that may belong to the next token's are held back. */
export interface TokenDecoder {
  readonly push: (token: number) => string;
  /** What was held back; incomplete UTF-8 becomes U+FFFD. */
  readonly end: () => string;
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
    sampling: SamplingOptions,
    pastEnd: boolean,
  ) => AsyncIterable<number>;
  /** Tokens that it has read. */
  readonly length: () => number;
  /** Forgets all tokens behind the first `length`. */
  readonly truncate: (length: number) => Promise<void>;
  /** What only an engine of our own can tell. */
  readonly inside?: EngineInside | undefined;
}

export interface EngineInside {
  /** Logits of a token. */
  readonly vocabularySize: number;
  /** Reads tokens in one go; gives the logits of tokens[first] and all after it, one row per token. */
  readonly logits: (tokens: readonly number[], first: number) => AsyncIterable<Float32Array>;
  /** From now on the inputs of the layers' matrices are summed up. */
  readonly collectImportance: () => void;
  readonly importance: () => readonly NativeImportance[];
}

/** What every function that runs a model takes. */
export interface RunOptions extends ThreadedCallOptions {
  /** Which engine computes: ours, or llama.cpp, which needs the package node-llama-cpp; ours by default. */
  readonly engine?: EngineName | undefined;
  readonly pre?: string | undefined;
  readonly cache?: CacheType | undefined;
}

const loaders = {
  native: () => import("./engine-native.js").then(({ nativeEngine }) => nativeEngine),
  "llama.cpp": () => import("./engine-llama-cpp.js").then(({ llamaCpp }) => llamaCpp),
} as const satisfies Record<string, () => Promise<Engine>>;

export type EngineName = "native" | "llama.cpp";

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
