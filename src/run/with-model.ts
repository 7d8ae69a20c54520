import { threadCount } from "../native/call.js";
import type { ModelInfo } from "../sources/model-info.js";
import { openSource } from "../sources/open.js";
import { argumentError } from "../errors.js";
import { findEngine, type EngineName, type LoadedModel, type RunOptions } from "./engine.js";

/** A model that is loaded until it is disposed of. */
export interface RunningModel {
  readonly info: ModelInfo;
  readonly model: LoadedModel;
  readonly engine: EngineName;
  readonly threads: number;
  readonly loadSeconds: number;
  readonly dispose: () => Promise<void>;
}

/**
 * Opens a GGUF (Nibble's own reader sees it first: an engine is never given a file that does not hold) and loads it.
 *
 * @throws what `openSource` and the engine throw; `signal.reason` on abort.
 */
export async function openModel(
  path: string,
  { engine: name, threads: wanted, signal, pre, cache }: RunOptions,
): Promise<RunningModel> {
  signal?.throwIfAborted();
  const threads = threadCount(wanted);
  const engine = await findEngine(name);
  const info = await openSource(path, { signal });
  if (info.container !== "gguf") {
    throw argumentError("model", "a GGUF file (make one with nibble quantize)", path);
  }
  const began = performance.now();
  const model = await abortable(engine.load(info, { threads, signal, pre, cache }), signal);
  const loadSeconds = (performance.now() - began) / 1000;
  const dispose = async () => {
    const freed = model.dispose();
    // What an engine computes cannot be stopped half way: after an abort the caller does not wait for it.
    if (signal?.aborted) freed.catch(() => undefined);
    else await freed;
  };
  return { info, model, engine: engine.name, threads, loadSeconds, dispose };
}

/** Runs `body` with a model that is loaded for as long as that takes. */
export async function withModel<T>(
  path: string,
  options: RunOptions,
  body: (running: RunningModel) => Promise<T>,
): Promise<T> {
  const running = await openModel(path, options);
  try {
    return await body(running);
  } finally {
    await running.dispose();
  }
}

/** The promise, or `signal.reason` as soon as that aborts. */
export async function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return promise;
  promise.catch(() => undefined);
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
