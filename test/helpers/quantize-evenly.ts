import { format, type FormatName } from "../../src/formats.js";
import { loadAddon } from "../../src/native/load.js";

/** Types that cannot be quantized without importance. */
export const needImportance: ReadonlySet<FormatName> = new Set(["IQ1_S", "IQ2_XS", "IQ2_XXS"]);

/** Blocks of whole rows; all values are equally important where the type cannot do without importance. */
export function quantizeEvenly(name: FormatName, values: Float32Array): Uint8Array {
  const { id, values: perBlock } = format(name);
  if (!needImportance.has(name)) return loadAddon().quantizeRows(id, values);
  const ones = new Float32Array(perBlock).fill(1);
  return loadAddon().quantizeWeightedRows(id, values, ones);
}
