import { format, type FormatName } from "../formats.js";
import type { NativeTask } from "../native/binding.js";
import type { SourceTensor } from "../plan/types.js";

/** A tensor's part of a job for the addon. `outputOffset` is in bytes from the start of the output. */
export function nativeTask(
  source: SourceTensor,
  to: FormatName,
  outputOffset: number,
  importance?: Float32Array,
): NativeTask {
  const [perRow = 1, ...others] = source.shape;
  return {
    name: source.name,
    pieces: source.pieces,
    from: format(source.type).id,
    to: format(to).id,
    perRow,
    rows: others.reduce((product, n) => product * n, 1),
    headDim: source.transform?.headDim ?? 0,
    outputOffset,
    ...(importance !== undefined && { importance }),
  };
}
