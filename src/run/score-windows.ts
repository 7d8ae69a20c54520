import { argumentError, NibbleError } from "../errors.js";
import type { ModelInfo } from "../sources/model-info.js";
import { createDivergence, type DivergenceReport } from "./divergence.js";
import type { EngineContext, EngineInside, RunOptions } from "./engine.js";
import { badLogits } from "./log-softmax.js";
import { createReferenceWriter, openReference, type ReferenceReader } from "./reference-file.js";
import { hashTokens } from "./reference-header.js";
import type { Windows } from "./windows.js";
import { openModel, type RunningModel } from "./with-model.js";

/** How the windows of a text are scored: position by position, the second half of each. */
export interface Scorer {
  /** Logarithms of the probabilities of the second half's tokens. */
  readonly score: (window: readonly number[]) => Promise<Iterable<number>>;
  /** What to show beside the perplexity, so far. */
  readonly label?: () => string;
  /** Everything was scored. */
  readonly finish?: () => Promise<void>;
  readonly divergence?: () => DivergenceReport;
  /** In any case, at the end. */
  readonly close?: () => Promise<void>;
}

/** The first token of a window whose successor is scored. */
export function firstScored(window: readonly number[]): number {
  return Math.floor(window.length / 2);
}

/** Perplexity alone: no logits leave the engine. */
export function plainScorer(context: EngineContext): Scorer {
  return {
    async score(window) {
      await context.truncate(0);
      const logs = await context.logProbabilities(window, firstScored(window));
      if (logs.some(Number.isNaN)) throw badLogits("model", NaN);
      return logs;
    },
  };
}

/** What only an engine of our own can tell of the model. */
function insideOf({ inside }: EngineContext, option: string): EngineInside {
  if (inside !== undefined) return inside;
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${option} needs all logits, which the engine llama.cpp does not give; take --engine native`,
    { what: "engine", value: "llama.cpp" },
  );
}

/** Calls `visit` for every scored position of a window; its results are what `score` gives. */
async function visitLogits(
  context: EngineContext,
  option: string,
  window: readonly number[],
  visit: (logits: Float32Array, target: number) => Promise<number>,
): Promise<readonly number[]> {
  await context.truncate(0);
  const first = firstScored(window);
  const results: number[] = [];
  let position = first;
  // The last token has no successor.
  for await (const logits of insideOf(context, option).logits(window.slice(0, -1), first)) {
    results.push(await visit(logits, window[position + 1] ?? 0));
    position += 1;
  }
  return results;
}

/**
 * Runs a reference model in step, so that no logits are kept.
 *
 * @throws NibbleError ERR_ARGUMENT where the vocabularies differ; what `openModel` throws.
 */
export async function referenceModelScorer(
  { info }: RunningModel,
  context: EngineContext,
  path: string,
  { contextLength }: Windows,
  options: RunOptions,
): Promise<Scorer> {
  const inside = insideOf(context, "--reference");
  const reference = await openModel(path, options);
  try {
    checkVocabulary(info, reference.info);
    const other = await reference.model.createContext(contextLength);
    const otherInside = insideOf(other, "--reference");
    const divergence = createDivergence();
    return {
      async score(window) {
        const first = firstScored(window);
        const read = window.slice(0, -1);
        await context.truncate(0);
        await other.truncate(0);
        const references = otherInside.logits(read, first)[Symbol.asyncIterator]();
        const logs: number[] = [];
        for await (const logits of inside.logits(read, first)) {
          const expected = await references.next();
          const target = window[first + logs.length + 1] ?? 0;
          if (expected.done === true) break;
          logs.push(-divergence.add(expected.value, logits, target));
        }
        return logs;
      },
      label: () => `KLD ${divergence.meanKld().toFixed(5)}`,
      divergence: divergence.report,
      close: reference.dispose,
    };
  } catch (error) {
    await reference.dispose();
    throw error;
  }
}

/** Ids mean the same in both, or a divergence means nothing. */
function checkVocabulary(model: ModelInfo, reference: ModelInfo): void {
  const [ours, theirs] = [model, reference].map(({ metadata }) => {
    const tokens = metadata.find(({ key }) => key === "tokenizer.ggml.tokens")?.value;
    return Array.isArray(tokens) ? (tokens as readonly unknown[]) : [];
  });
  const differs = ours?.findIndex((token, i) => token !== theirs?.[i]) ?? -1;
  if (ours?.length === theirs?.length && differs < 0) return;
  const expected = `a model with the vocabulary of ${model.path}`;
  const found =
    ours?.length === theirs?.length
      ? `another token ${differs}`
      : `${theirs?.length ?? 0} tokens instead of ${ours?.length ?? 0}`;
  throw argumentError("reference", expected, `${reference.path} (${found})`);
}

/**
 * Compares with the predictions that a file keeps.
 *
 * @throws NibbleError ERR_ARGUMENT where it was made from another text, context or vocabulary, ERR_FORMAT, ERR_IO.
 */
export async function referenceFileScorer(
  context: EngineContext,
  path: string,
  { windows, contextLength }: Windows,
  signal: AbortSignal | undefined,
): Promise<Scorer> {
  insideOf(context, "--load-reference");
  const reader = await openReference(path, signal);
  try {
    checkReference(reader, path, contextLength, windows);
  } catch (error) {
    await reader.close();
    throw error;
  }
  const divergence = createDivergence();
  let position = 0;
  return {
    score: (window) =>
      visitLogits(context, "--load-reference", window, async (logits, target) => {
        const record = await reader.read(position);
        position += 1;
        return -divergence.addRecord(record, logits, target);
      }),
    label: () => `KLD ${divergence.meanKld().toFixed(5)}`,
    divergence: divergence.report,
    close: reader.close,
  };
}

function checkReference(
  { header }: ReferenceReader,
  path: string,
  contextLength: number,
  windows: Windows["windows"],
): void {
  const same: readonly (readonly [string, string, string])[] = [
    ["contextLength", String(header.contextLength), String(contextLength)],
    ["chunks", String(header.chunks), String(windows.length)],
    ["text", header.tokensSha256, hashTokens(windows.flat())],
  ];
  for (const [option, theirs, ours] of same) {
    if (theirs === ours) continue;
    throw argumentError(option, `that of the reference file ${path} (${theirs})`, ours);
  }
}

/** Writes the model's own predictions to a file, for `referenceFileScorer`. */
export async function savingScorer(
  { path, model }: { readonly path: string; readonly model: string },
  context: EngineContext,
  { windows, contextLength }: Windows,
  options: { readonly topK: number; readonly overwrite: boolean },
): Promise<Scorer> {
  const { vocabularySize } = insideOf(context, "--save-reference");
  const firstPosition = Math.floor(contextLength / 2);
  const writer = await createReferenceWriter(
    path,
    {
      vocabularySize,
      topK: Math.min(options.topK, vocabularySize),
      contextLength,
      chunks: windows.length,
      positionsPerChunk: contextLength - 1 - firstPosition,
      firstPosition,
      tokensSha256: hashTokens(windows.flat()),
      model,
    },
    { overwrite: options.overwrite },
  );
  return {
    score: (window) => visitLogits(context, "--save-reference", window, writer.add),
    finish: writer.finish,
    close: writer.discard,
  };
}
