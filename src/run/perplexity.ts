import { basename } from "node:path";
import { argumentError } from "../errors.js";
import type { DivergenceReport } from "./divergence.js";
import type { EngineContext, EngineName, RunOptions } from "./engine.js";
import {
  plainScorer,
  referenceFileScorer,
  referenceModelScorer,
  savingScorer,
  type Scorer,
} from "./score-windows.js";
import { atLeast, cutWindows, type WindowOptions, type Windows } from "./windows.js";
import { abortable, withModel, type RunningModel } from "./with-model.js";

export interface PerplexityOptions extends RunOptions, WindowOptions {
  /** A model that runs in step: how far this one's predictions diverge from it. */
  readonly reference?: string | undefined;
  /** A file that `saveReference` wrote, instead of a reference model. */
  readonly loadReference?: string | undefined;
  /** Keeps the model's predictions in a file: the most probable tokens of every position, and the rest's sum. */
  readonly saveReference?: string | undefined;
  /** How many tokens `saveReference` keeps of a position; 256 by default. */
  readonly referenceTokens?: number | undefined;
  /** `saveReference` may replace a file; false by default. */
  readonly overwrite?: boolean | undefined;
}

export interface PerplexityReport {
  readonly path: string;
  readonly engine: EngineName;
  readonly threads: number;
  readonly contextLength: number;
  readonly chunks: number;
  /** Tokens that were scored: the second half of every window. */
  readonly scoredTokens: number;
  /** exp of the mean negative log-likelihood of the scored tokens. */
  readonly perplexity: number;
  /** Standard error of the perplexity: of the mean, carried through exp. */
  readonly standardError: number;
  /** The perplexity after each window. */
  readonly running: readonly number[];
  /** Where a reference was given. */
  readonly divergence?: DivergenceReport;
  readonly loadSeconds: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

/**
 * Perplexity by llama.cpp's protocol: the text is cut into windows of `contextLength` tokens, a rest is left out; every
 * window starts afresh, with BOS in place of its first token where the model wants BOS; the second half is scored. With
 * a reference, also how the predictions diverge from it.
 *
 * @throws NibbleError ERR_ARGUMENT where the text fills no window, or the reference does not fit; ERR_UNSUPPORTED,
 * ERR_FORMAT, ERR_IO, ERR_NATIVE_LOAD; `signal.reason` on abort.
 */
export async function perplexity(
  path: string,
  options: PerplexityOptions,
): Promise<PerplexityReport> {
  const references = [options.reference, options.loadReference, options.saveReference];
  if (references.filter((given) => given !== undefined).length > 1) {
    const expected = "one of reference, loadReference and saveReference";
    throw argumentError("reference", expected, "several");
  }
  return withModel(path, options, async (running) => {
    const { info, model, engine, threads, loadSeconds } = running;
    const began = performance.now();
    const windows = cutWindows(info, model, options);
    const { contextLength } = windows;
    const context = await model.createContext(contextLength);
    const scorer = await chooseScorer(running, context, windows, options);
    try {
      const score = await scoreAll(scorer, windows, options);
      await scorer.finish?.();
      const seconds = (performance.now() - began) / 1000;
      const chunks = windows.windows.length;
      const divergence = scorer.divergence?.();
      return {
        ...{ path, engine, threads, contextLength, chunks, ...score },
        ...(divergence !== undefined && { divergence }),
        ...{ loadSeconds, seconds, tokensPerSecond: (chunks * contextLength) / seconds },
      };
    } finally {
      await scorer.close?.();
    }
  });
}

function chooseScorer(
  running: RunningModel,
  context: EngineContext,
  windows: Windows,
  options: PerplexityOptions,
): Promise<Scorer> | Scorer {
  const { reference, loadReference, saveReference } = options;
  if (reference !== undefined) {
    return referenceModelScorer(running, context, reference, windows, options);
  }
  if (loadReference !== undefined) {
    return referenceFileScorer(context, loadReference, windows, options.signal);
  }
  if (saveReference === undefined) return plainScorer(context);
  const names = { path: saveReference, model: basename(running.info.path) };
  return savingScorer(names, context, windows, {
    topK: atLeast("referenceTokens", options.referenceTokens ?? 256, 1),
    overwrite: options.overwrite ?? false,
  });
}

type Score = Pick<PerplexityReport, "perplexity" | "standardError" | "scoredTokens" | "running">;

async function scoreAll(
  scorer: Scorer,
  { windows, contextLength }: Windows,
  { signal, onProgress }: RunOptions,
): Promise<Score> {
  const total = windows.length * contextLength;
  const sums = { count: 0, nll: 0, squares: 0 };
  const running: number[] = [];
  let done = 0;
  onProgress?.({ phase: "perplexity", done, total, unit: "tokens" });
  for (const window of windows) {
    for (const log of await abortable(scorer.score(window), signal)) {
      sums.count += 1;
      sums.nll -= log;
      sums.squares += log * log;
    }
    running.push(Math.exp(sums.nll / sums.count));
    done += window.length;
    const figures = [`PPL ${running.at(-1)?.toFixed(4) ?? ""}`, scorer.label?.() ?? ""];
    const label = figures.join(" ").trimEnd();
    onProgress?.({ phase: "perplexity", done, total, unit: "tokens", label });
  }
  const mean = sums.nll / sums.count;
  const variance = Math.max(0, sums.squares / sums.count - mean * mean);
  const perplexity = Math.exp(mean);
  const standardError = perplexity * Math.sqrt(variance / (sums.count - 1));
  return { perplexity, standardError, scoredTokens: sums.count, running };
}
