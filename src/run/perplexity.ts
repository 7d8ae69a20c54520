import { argumentError } from "../errors.js";
import type { EngineContext, EngineName, LoadedModel, RunOptions } from "./engine.js";
import { abortable, withModel } from "./with-model.js";

export interface PerplexityOptions extends RunOptions {
  /** The text that is scored. */
  readonly text: string;
  /** Tokens in a window, at least 4; 512 by default. */
  readonly contextLength?: number | undefined;
  /** Windows at most; all by default. */
  readonly chunks?: number | undefined;
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
  readonly loadSeconds: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

/**
 * Perplexity by llama.cpp's protocol: the text is cut into windows of `contextLength` tokens, a rest is left out; every
 * window starts afresh, with BOS in place of its first token where the model wants BOS; the second half is scored.
 *
 * @throws NibbleError ERR_ARGUMENT where the text fills no window, ERR_UNSUPPORTED, ERR_FORMAT, ERR_NATIVE_LOAD.
 */
export async function perplexity(
  path: string,
  options: PerplexityOptions,
): Promise<PerplexityReport> {
  const contextLength = atLeast("contextLength", options.contextLength ?? 512, 4);
  const limit = atLeast("chunks", options.chunks ?? Number.MAX_SAFE_INTEGER, 1);
  return withModel(path, options, async ({ model, engine, threads, loadSeconds }) => {
    const began = performance.now();
    const windows = cutWindows(model, options.text, contextLength).slice(0, limit);
    const context = await model.createContext(contextLength);
    const score = await scoreWindows(context, windows, options);
    const seconds = (performance.now() - began) / 1000;
    return {
      path,
      engine,
      threads,
      contextLength,
      chunks: windows.length,
      ...score,
      loadSeconds,
      seconds,
      tokensPerSecond: (windows.length * contextLength) / seconds,
    };
  });
}

function atLeast(option: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw argumentError(option, `an integer of at least ${least}`, value);
}

function cutWindows(
  model: LoadedModel,
  text: string,
  length: number,
): readonly (readonly number[])[] {
  const bos = model.addsBos ? model.bos : undefined;
  const tokens = [...(bos === undefined ? [] : [bos]), ...model.tokenize(text, false)];
  const count = Math.floor(tokens.length / length);
  if (count === 0) {
    const expected = `a text of at least ${length} tokens, or a smaller context`;
    throw argumentError("text", expected, `one of ${tokens.length}`);
  }
  return Array.from({ length: count }, (_, i) => {
    const window = tokens.slice(i * length, (i + 1) * length);
    if (bos !== undefined) window[0] = bos;
    return window;
  });
}

type Score = Pick<PerplexityReport, "perplexity" | "standardError" | "scoredTokens" | "running">;

async function scoreWindows(
  context: EngineContext,
  windows: readonly (readonly number[])[],
  { signal, onProgress }: RunOptions,
): Promise<Score> {
  const total = windows.reduce((sum, window) => sum + window.length, 0);
  const sums = { count: 0, nll: 0, squares: 0 };
  const running: number[] = [];
  let done = 0;
  onProgress?.({ phase: "perplexity", done, total, unit: "tokens" });
  for (const window of windows) {
    await context.clear();
    const half = Math.floor(window.length / 2);
    const logs = await abortable(context.logProbabilities(window, half), signal);
    for (const log of logs) {
      sums.count += 1;
      sums.nll -= log;
      sums.squares += log * log;
    }
    running.push(Math.exp(sums.nll / sums.count));
    done += window.length;
    const label = `PPL ${running.at(-1)?.toFixed(4) ?? ""}`;
    onProgress?.({ phase: "perplexity", done, total, unit: "tokens", label });
  }
  const mean = sums.nll / sums.count;
  const variance = Math.max(0, sums.squares / sums.count - mean * mean);
  const perplexity = Math.exp(mean);
  const standardError = perplexity * Math.sqrt(variance / (sums.count - 1));
  return { perplexity, standardError, scoredTokens: sums.count, running };
}
