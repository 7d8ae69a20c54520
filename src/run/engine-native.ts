import { argumentError } from "../errors.js";
import { format } from "../formats.js";
import type { NativeContext, NativeModel } from "../native/binding.js";
import { settleNative } from "../native/call.js";
import { fromNative, loadAddon } from "../native/load.js";
import type { ModelInfo } from "../sources/model-info.js";
import { createTokenizer, type Tokenizer } from "../tokenizer/tokenizer.js";
import type { Engine, EngineContext, EngineInside, EngineOptions, LoadedModel } from "./engine.js";
import { nativeModel } from "./native-model.js";
import { createSampler, type SamplingOptions } from "./sampling.js";

/** Rows of logits that JS holds at a time. */
const logitRows = 32;

/** Our own: weights stay mapped from the file, products are computed from their blocks. */
export const nativeEngine: Engine = { name: "native", load };

async function load(info: ModelInfo, options: EngineOptions): Promise<LoadedModel> {
  const tokenizer = createTokenizer(info, { pre: options.pre });
  const graph = await nativeModel(info);
  let model: NativeModel;
  try {
    model = loadAddon().loadModel(graph);
  } catch (error) {
    throw fromNative(error, new Error().stack);
  }
  const { vocabulary } = graph.config;
  const contexts: NativeContext[] = [];
  return {
    bos: tokenizer.bos,
    addsBos: tokenizer.addsBos,
    isEnd: (token) => tokenizer.endOfText.has(token),
    tokenize: (text, special) => tokenizer.encode(text, { special }),
    decoder: (before) => tokenizer.decoder({ continues: before.length > 0 }),
    createContext: async (capacity) => {
      const { threads, signal, cache = "F16" } = options;
      const { headDim } = graph.config;
      if (headDim % format(cache).values !== 0) {
        throw argumentError("cache", `F16, since heads are ${headDim} values long`, cache);
      }
      const { positions } = graph.config;
      if (positions > 0 && capacity > positions) {
        const expected = `at most ${positions} tokens, the positions that the model has learned`;
        throw argumentError("contextLength", expected, capacity);
      }
      const job = model.createContext({ capacity, threads, cache });
      const context = await settleNative(job, signal);
      contexts.push(context);
      return new Sequence(context, tokenizer, { capacity, vocabulary, signal });
    },
    dispose: () => {
      for (const context of contexts) context.dispose();
      model.dispose();
      return Promise.resolve();
    },
  };
}

interface SequenceOptions {
  readonly capacity: number;
  readonly vocabulary: number;
  readonly signal: AbortSignal | undefined;
}

class Sequence implements EngineContext {
  readonly inside: EngineInside;
  readonly #context: NativeContext;
  readonly #tokenizer: Tokenizer;
  readonly #options: SequenceOptions;
  #past = 0;

  constructor(context: NativeContext, tokenizer: Tokenizer, options: SequenceOptions) {
    this.#context = context;
    this.#tokenizer = tokenizer;
    this.#options = options;
    this.inside = {
      vocabularySize: options.vocabulary,
      logits: (tokens, first) => this.#logits(tokens, first),
      collectImportance: () => context.collectImportance(),
      importance: () => context.importance(),
    };
  }

  async evaluate(tokens: readonly number[]): Promise<void> {
    // One token is kept, as a caller would who goes on from here.
    await this.#read(tokens, tokens.length - 1, false);
  }

  async logProbabilities(tokens: readonly number[], first: number): Promise<Float64Array> {
    await this.#read(tokens, first, false);
    const targets = Int32Array.from(tokens.slice(first + 1));
    return settleNative(this.#context.logProbabilities(0, targets), this.#options.signal);
  }

  async *generate(
    tokens: readonly number[],
    sampling: SamplingOptions,
    pastEnd: boolean,
  ): AsyncGenerator<number, void, undefined> {
    const sampler = createSampler(sampling);
    const history = [...tokens];
    for (let next = tokens; ; next = history.slice(-1)) {
      const logits = await this.#read(next, next.length - 1, true);
      const token = sampler.choose(logits, history);
      if (!pastEnd && this.#tokenizer.endOfText.has(token)) return;
      history.push(token);
      yield token;
    }
  }

  length(): number {
    return this.#past;
  }

  truncate(length: number): Promise<void> {
    this.#context.truncate(length);
    this.#past = Math.min(this.#past, length);
    return Promise.resolve();
  }

  async *#logits(tokens: readonly number[], first: number): AsyncGenerator<Float32Array> {
    await this.#read(tokens, first, false);
    const { vocabulary, signal } = this.#options;
    for (let row = first; row < tokens.length; row += logitRows) {
      const count = Math.min(logitRows, tokens.length - row);
      const logits = await settleNative(this.#context.logits(row - first, count), signal);
      for (let i = 0; i < count; i += 1) {
        yield logits.subarray(i * vocabulary, (i + 1) * vocabulary);
      }
    }
  }

  async #read(tokens: readonly number[], keep: number, wantsLogits: boolean) {
    const { capacity, vocabulary, signal } = this.#options;
    if (tokens.length === 0) throw argumentError("tokens", "at least one token", "none");
    if (this.#past + tokens.length > capacity) {
      const expected = `at most ${capacity} tokens, for which the context was made`;
      throw argumentError("tokens", expected, `${this.#past + tokens.length}`);
    }
    const foreign = tokens.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
    if (foreign !== undefined) {
      throw argumentError("tokens", `ids from 0 to ${vocabulary - 1}`, foreign);
    }
    const job = this.#context.evaluate(Int32Array.from(tokens), keep, wantsLogits);
    const logits = await settleNative(job, signal);
    this.#past += tokens.length;
    return logits;
  }
}
