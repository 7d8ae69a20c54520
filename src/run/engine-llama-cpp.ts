import type * as Library from "node-llama-cpp";
import type { LlamaContextSequence, LlamaModel, Llama, Token } from "node-llama-cpp";
import { NibbleError } from "../errors.js";
import type { ModelInfo } from "../sources/model-info.js";
import type { Engine, EngineContext, EngineOptions, LoadedModel, TokenDecoder } from "./engine.js";
import { samplingSettings, type SamplingOptions } from "./sampling.js";
import { uncoveredCharacter } from "./vocabulary-gaps.js";

/** Tokens that llama.cpp computes at once, as in llama-perplexity and llama-bench. */
const batchTokens = 512;

/** A character of four bytes may take four tokens. */
const maxHeld = 4;

type SequenceSampling = NonNullable<Parameters<LlamaContextSequence["evaluate"]>[1]>;

/** What llama.cpp said last: its errors come as log lines. */
const lastLines: string[] = [];

let library: Promise<Llama> | undefined;

/** The library is loaded once per process: it takes half a second, and never downloads or builds anything. */
async function loadLibrary(threads: number): Promise<Llama> {
  const { getLlama, LlamaLogLevel } = await importLibrary();
  library ??= getLlama({
    gpu: false,
    build: "never",
    maxThreads: threads,
    progressLogs: false,
    logLevel: LlamaLogLevel.warn,
    logger: (_level, message) => {
      lastLines.push(message.trim());
      if (lastLines.length > 20) lastLines.shift();
    },
  }).catch((error: unknown) => {
    library = undefined;
    throw notInstalled(error);
  });
  const llama = await library;
  // Its default is four threads at least: with fewer cores than that it is many times slower.
  llama.maxThreads = threads;
  return llama;
}

async function importLibrary(): Promise<typeof Library> {
  try {
    return await import("node-llama-cpp");
  } catch (error) {
    throw notInstalled(error);
  }
}

function notInstalled(cause: unknown): NibbleError {
  const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
  return new NibbleError(
    "ERR_NATIVE_LOAD",
    `the engine llama.cpp cannot be loaded (${reason}); install it with: npm install node-llama-cpp`,
    { tried: ["node-llama-cpp"] },
    { cause },
  );
}

/** llama.cpp by way of node-llama-cpp, on the CPU. Any architecture that it knows. */
export const llamaCpp: Engine = { name: "llama.cpp", load };

async function load(info: ModelInfo, { threads, signal }: EngineOptions): Promise<LoadedModel> {
  const llama = await loadLibrary(threads);
  lastLines.length = 0;
  let model: LlamaModel;
  try {
    model = await llama.loadModel({
      modelPath: info.path,
      gpuLayers: 0,
      ignoreMemorySafetyChecks: true,
      ...(signal && { loadSignal: signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw cannotRun(info.path, error);
  }
  return {
    bos: model.tokens.bos ?? undefined,
    addsBos: model.tokens.shouldPrependBosToken,
    isEnd: (token) => model.isEogToken(token as Token),
    tokenize: (text, special) => {
      refuseGaps(info, text);
      return model.tokenize(text, special);
    },
    decoder: (before) => tokenDecoder(model, before),
    createContext: (length) => createContext(info.path, model, length, threads),
    dispose: () => model.dispose(),
  };
}

function cannotRun(path: string, cause: unknown): NibbleError {
  const said = lastLines.findLast((line) => /error|fail|unknown|missing/i.test(line));
  const reason = said ?? (cause instanceof Error ? cause.message : String(cause));
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: llama.cpp cannot run it: ${reason}`,
    { what: "model", value: reason },
    { cause },
  );
}

/** Where a vocabulary has no token for a character and none for its bytes, llama.cpp ends the whole process. */
function refuseGaps(info: ModelInfo, text: string): void {
  const character = uncoveredCharacter(info, text);
  if (character === undefined) return;
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${info.path}: its vocabulary has no token for ${JSON.stringify(character)}, and llama.cpp cannot cut such text`,
    { what: "character", value: character },
  );
}

async function createContext(
  path: string,
  model: LlamaModel,
  length: number,
  threads: number,
): Promise<EngineContext> {
  try {
    const context = await model.createContext({
      contextSize: length,
      batchSize: Math.min(length, batchTokens),
      sequences: 1,
      threads,
      flashAttention: false,
      failedCreationRemedy: false,
      ignoreMemorySafetyChecks: true,
    });
    return sequenceContext(context.getSequence());
  } catch (error) {
    throw cannotRun(path, error);
  }
}

function sequenceContext(sequence: LlamaContextSequence): EngineContext {
  return {
    evaluate: (tokens) => sequence.evaluateWithoutGeneratingNewTokens(tokens as Token[]),
    logProbabilities: (tokens, first) => logProbabilities(sequence, tokens as Token[], first),
    generate: (tokens, sampling, pastEnd) =>
      sequence.evaluate(tokens as Token[], {
        ...samplingOptions(sampling, () => sequence.contextTokens),
        yieldEogToken: pastEnd,
      }),
    length: () => sequence.nextTokenIndex,
    truncate: (start) =>
      start === 0
        ? sequence.clearHistory()
        : sequence.eraseContextTokenRanges([{ start, end: sequence.nextTokenIndex }]),
  };
}

/** Their names differ, their meaning does not. `punishTokens` are asked for again before every token. */
function samplingOptions(sampling: SamplingOptions, recent: () => Token[]): SequenceSampling {
  const { repeatPenalty, repeatLastN, ...same } = samplingSettings(sampling);
  return {
    ...same,
    ...(repeatPenalty !== 1 && {
      repeatPenalty: {
        penalty: repeatPenalty,
        maxPunishTokens: Math.max(1, repeatLastN),
        punishTokens: () => (repeatLastN === 0 ? [] : recent().slice(-repeatLastN)),
      },
    }),
  };
}

/** Its detokenizer takes whole lists: tokens are held back until they end in a whole character. */
function tokenDecoder(model: LlamaModel, before: readonly number[]): TokenDecoder {
  const shown = [...before] as Token[];
  let held: Token[] = [];
  const text = () => model.detokenize(held, true, shown);
  return {
    push(token) {
      held.push(token as Token);
      const piece = text();
      if (piece.endsWith("\ufffd") && held.length < maxHeld) return "";
      shown.push(...held);
      held = [];
      return piece;
    },
    end: () => (held.length > 0 ? text() : ""),
  };
}

/**
 * log p(token) = logit - max - log(sum of exp(logit - max)): node-llama-cpp gives the
 * total weight for the sum, and the maximum is the logit of the token that greedy sampling selects. (Asking for the top
 * logit instead makes it sort the vocabulary for every token.)
 */
async function logProbabilities(
  sequence: LlamaContextSequence,
  tokens: readonly Token[],
  first: number,
): Promise<Float64Array> {
  const outputs = await sequence.controlledEvaluate(
    tokens.map((token, i) => {
      const next = tokens[i + 1];
      if (i < first || next === undefined) return token;
      const logits = { filter: { tokens: [next], includeSelected: true } };
      const greedy = { token: true, options: { temperature: 0 } };
      return [token, { generateNext: { ...greedy, logits, totalLogitWeight: true } }];
    }),
  );
  return Float64Array.from({ length: tokens.length - 1 - first }, (_, i) => {
    const next = outputs[first + i]?.next;
    const logits = next?.logits;
    const logit = logits?.get(tokens[first + i + 1] as Token) ?? NaN;
    const greatest = Math.max(...(logits?.values() ?? []));
    return logit - greatest - Math.log(next?.totalLogitWeight ?? NaN);
  });
}
