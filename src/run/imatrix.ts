import { NibbleError } from "../errors.js";
import type { ImportanceEntry, ImportanceMatrix } from "../imatrix/types.js";
import type { NativeImportance } from "../native/binding.js";
import type { RunOptions } from "./engine.js";
import { cutWindows, type WindowOptions } from "./windows.js";
import { abortable, withModel } from "./with-model.js";

export interface ImportanceOptions extends Omit<RunOptions, "engine">, WindowOptions {
  /** What the matrix calls the text; by default it has no name. */
  readonly dataset?: string | undefined;
}

/**
 * Importance matrix of a model on a text: for every matrix in its layers the mean square (and the mean) of each input
 * column. Windows as in `perplexity`; every token counts. Runs on the native engine.
 *
 * @throws NibbleError ERR_ARGUMENT where the text fills no window, ERR_UNSUPPORTED where activations are NaN or infinite
 * or the engine does not have the architecture, ERR_FORMAT, ERR_IO; `signal.reason` on abort.
 */
export async function imatrix(path: string, options: ImportanceOptions): Promise<ImportanceMatrix> {
  const { signal, onProgress, dataset } = options;
  return withModel(path, { ...options, engine: "native" }, async ({ info, model }) => {
    const { windows, contextLength } = cutWindows(info, model, options);
    const context = await model.createContext(contextLength);
    context.inside?.collectImportance();
    const total = windows.length * contextLength;
    let done = 0;
    for (const window of windows) {
      onProgress?.({ phase: "imatrix", done, total, unit: "tokens" });
      await context.truncate(0);
      await abortable(context.evaluate(window), signal);
      done += contextLength;
    }
    onProgress?.({ phase: "imatrix", done, total, unit: "tokens" });
    return {
      entries: (context.inside?.importance() ?? []).map((sums) => entryOf(path, sums)),
      chunks: windows.length,
      chunkSize: contextLength,
      datasets: dataset === undefined ? [] : [dataset],
    };
  });
}

function entryOf(path: string, native: NativeImportance): ImportanceEntry {
  const { name, rows } = native;
  const sumsOfSquares = Float32Array.from(native.sumsOfSquares);
  const sums = Float32Array.from(native.sums);
  if (![sumsOfSquares, sums].every((values) => values.every(Number.isFinite))) {
    const problem = `${path}: the inputs of ${name} are NaN or infinite; the weights may be damaged`;
    throw new NibbleError("ERR_UNSUPPORTED", problem, { what: "activations", value: name });
  }
  const experts = rows.length;
  const columns = sumsOfSquares.length / experts;
  return { name, columns, experts, sumsOfSquares, counts: Float32Array.from(rows), sums };
}
