import { findEngine, type EngineName } from "../../src/run/engine.js";
import { readGguf } from "../../src/sources/gguf.js";

/** What an engine says of every next token of a text, on one thread. */
export async function engineLogProbabilities(
  name: EngineName,
  path: string,
  tokens: readonly number[],
  contextLength = 256,
): Promise<Float64Array> {
  const engine = await findEngine(name);
  const model = await engine.load(await readGguf(path), { threads: 1 });
  try {
    const context = await model.createContext(contextLength);
    return await context.logProbabilities(tokens, 0);
  } finally {
    await model.dispose();
  }
}

/** Differences by how much the values vary among themselves: root mean square and largest. */
export function spreadDifference(
  ours: Float64Array,
  theirs: Float64Array,
): { readonly rms: number; readonly largest: number } {
  const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const square = (x: number) => x * x;
  const middle = mean(theirs);
  const spread = Math.sqrt(mean(theirs.map((x) => square(x - middle))));
  const off = theirs.map((x, i) => Math.abs(x - (ours[i] ?? NaN)));
  const largest = off.reduce((a, b) => (Number.isNaN(b) ? b : Math.max(a, b)), 0);
  return { rms: Math.sqrt(mean(off.map(square))) / spread, largest: largest / spread };
}
