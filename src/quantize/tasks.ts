import { format, type FormatName } from "../formats.js";
import type { NativeTask } from "../native/binding.js";
import type { SourceTensor } from "../plan/types.js";
import { readType } from "../sources/model-info.js";

/** A tensor's part of a job for the addon. `outputOffset` is in bytes from the start of the output. */
export function nativeTask(
  source: SourceTensor,
  to: FormatName,
  outputOffset: number,
  importance?: Float32Array,
): NativeTask {
  const { name, type, pieces, transform, values } = source;
  const [perRow = 1, ...others] = rowsOf(source);
  return {
    name,
    pieces,
    stored: format(type).id,
    from: format(readType(source)).id,
    to: format(to).id,
    perRow,
    rows: others.reduce((product, n) => product * n, 1),
    headDim: transform?.kind === "interleave-halves" ? transform.headDim : 0,
    transposed: transform?.kind === "transpose",
    plusOne: transform?.kind === "add-one",
    outputOffset,
    ...(importance !== undefined && { importance }),
    ...(values !== undefined && { values }),
  };
}

/** The task of looking at a tensor of the output alone. */
export function lookingTask(tensor: SourceTensor, offset: number): NativeTask {
  const id = format(tensor.type).id;
  const [perRow = 1, ...others] = tensor.shape;
  const rows = others.reduce((product, n) => product * n, 1);
  return {
    ...{ name: tensor.name, pieces: [], stored: id, from: id, to: id, perRow, rows },
    ...{ headDim: 0, transposed: false, plusOne: false, outputOffset: offset },
  };
}

/** The bias of a matrix whose rows are moved is moved too: its rows are its values. */
function rowsOf({ shape, pieces, transform }: SourceTensor): readonly number[] {
  const isMoved = pieces.length > 1 || transform?.kind === "interleave-halves";
  return shape.length === 1 && isMoved ? [1, ...shape] : shape;
}
