import type { PlannedTensor, QuantizePlan } from "../plan/types.js";
import { partPath, splitMetadata } from "../sources/split-gguf.js";
import { layoutGguf, type Layout } from "./layout.js";

/** One file of a plan's output. */
export interface OutputPart {
  readonly path: string;
  readonly tensors: readonly PlannedTensor[];
  readonly layout: Layout;
}

/** What a path says beyond the prefix of the parts' names. */
const endings = [/\.gguf$/, /-\d{5}-of-\d{5}$/];

/**
 * The files that a plan makes: one of that name, or the parts of a split model, `<prefix>-00001-of-00003.gguf`, whose prefix
 * is the path without `.gguf`. The first part has the metadata, every one its place among the others.
 *
 * @throws NibbleError ERR_UNSUPPORTED for an alignment that does not work.
 */
export function outputParts(plan: QuantizePlan, path: string): readonly OutputPart[] {
  const { tensors, metadata, parts = [tensors.length] } = plan;
  const count = parts.length;
  const prefix = endings.reduce((text, ending) => text.replace(ending, ""), path);
  let end = 0;
  return parts.map((size, i) => {
    const own = tensors.slice(end, (end += size));
    const entries = [
      ...(i === 0 ? metadata : []),
      ...(count === 1 ? [] : splitMetadata(i + 1, count, tensors.length)),
    ];
    const placed = own.map(({ name, to, shape, bytes }) => ({ name, type: to, shape, bytes }));
    return {
      path: count === 1 ? path : partPath(prefix, i + 1, count),
      tensors: own,
      layout: layoutGguf(entries, placed),
    };
  });
}
