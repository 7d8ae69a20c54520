import type { NativeContext, NativeModel, NativeModelOptions } from "../../src/native/binding.js";
import { loadAddon } from "../../src/native/load.js";
import { nativeModel } from "../../src/run/native-model.js";
import { readGguf } from "../../src/sources/gguf.js";
import type { Rows } from "./reference-rows.js";

export interface RunOptions {
  readonly threads?: number;
  readonly cache?: "F16" | "Q8_0";
  readonly capacity?: number;
  /** How many tokens are read at a time; all at once by default. */
  readonly chunk?: (position: number) => number;
}

/** The addon's model of a file, as the native engine makes it. */
export async function openNative(path: string): Promise<NativeModel & { vocabulary: number }> {
  const graph: NativeModelOptions = await nativeModel(await readGguf(path));
  const { createContext, dispose } = loadAddon().loadModel(graph);
  return { createContext, dispose, vocabulary: graph.config.vocabulary };
}

/** The logits of all tokens, row by row. */
export async function nativeLogits(
  path: string,
  tokens: readonly number[],
  options: RunOptions = {},
): Promise<Float32Array[]> {
  const model = await openNative(path);
  const { threads = 1, cache = "F16", capacity = tokens.length } = options;
  const context = await model.createContext({ capacity, threads, cache }).promise;
  try {
    return await contextLogits(context, model.vocabulary, tokens, options);
  } finally {
    context.dispose();
    model.dispose();
  }
}

/** The same in a context that is there, behind what it has read. */
export async function contextLogits(
  context: NativeContext,
  vocabulary: number,
  tokens: readonly number[],
  { chunk = () => tokens.length }: RunOptions = {},
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  while (rows.length < tokens.length) {
    const part = tokens.slice(rows.length, rows.length + chunk(rows.length));
    await context.evaluate(Int32Array.from(part), 0, false).promise;
    const logits = await context.logits(0, part.length).promise;
    for (let i = 0; i < part.length; i += 1) {
      rows.push(logits.subarray(i * vocabulary, (i + 1) * vocabulary));
    }
  }
  return rows;
}

/** How far `ours` is from `theirs`, by the root mean square of theirs: root mean square and largest difference. */
export function difference(
  ours: readonly Float32Array[],
  theirs: Rows | readonly Float32Array[],
): { readonly rms: number; readonly largest: number } {
  let [squares, size, largest] = [0, 0, 0];
  let count = 0;
  theirs.forEach((row, t) =>
    row.forEach((value, i) => {
      // NaN where a row is missing or too short, and then every bound fails.
      const off = Math.abs((ours[t]?.[i] ?? NaN) - value);
      squares += off * off;
      size += value * value;
      largest = Number.isNaN(off) ? NaN : Math.max(largest, off);
      count += 1;
    }),
  );
  if (ours.length !== theirs.length) largest = NaN;
  return { rms: Math.sqrt(squares / size), largest: largest / Math.sqrt(size / count) };
}
