import { bytesOf, format } from "../formats.js";
import type { NativePlace } from "../native/binding.js";
import type { ModelInfo, TensorInfo } from "../sources/model-info.js";
import { damaged, unsupported } from "./graph-errors.js";
import type { FusedTensor, Length, TensorRow } from "./graph-tensors.js";

export type Lengths = Readonly<Record<Length, number>>;
export type Tensors = ReadonlyMap<string, TensorInfo>;

/** Finds tensors of the graph in a file: those of a layer with the prefix `blk.N.`. */
export type Placer = (rows: readonly TensorRow[], prefix: string) => readonly NativePlace[];

/**
 * Checks shape and type of every tensor that it places.
 *
 * @throws (the function that it gives) NibbleError ERR_FORMAT where a tensor is missing or has another shape than the
 * metadata say, ERR_UNSUPPORTED for a type or a layout that the native engine does not take.
 */
export function placer(
  info: ModelInfo,
  tensors: Tensors,
  lengths: Lengths,
  fusedTensors: readonly FusedTensor[],
): Placer {
  const shapeOf = (row: TensorRow) => row.shape.map((length) => lengths[length]);
  const whole = (row: TensorRow, prefix: string): NativePlace[] => {
    const sources = row.sources ?? [row.name];
    // A bias belongs to its weight: where that is another one's, so is the bias.
    const weightOf = (name: string) => prefix + name.replace(/\.bias$/, ".weight");
    const found = sources.find((name) => tensors.has(weightOf(name))) ?? sources[0] ?? row.name;
    const tensor = tensors.get(prefix + found);
    if (tensor === undefined && row.isOptional) return [];
    if (tensor === undefined) throw damaged(info.path, `tensor ${prefix}${found}`, "is missing");
    const shape = shapeOf(row);
    checkTensor(info, tensor, shape, row.isF32 ?? false);
    return [placeOf(info, tensor, row.name, found, { first: 0, shape })];
  };
  const part = (
    { source, parts }: FusedTensor,
    tensor: TensorInfo,
    row: TensorRow,
    rows: readonly TensorRow[],
  ): NativePlace => {
    const counts = parts.map((name) => rows.find((other) => other.name === name)?.shape.at(-1));
    const ends = counts.map((length) => (length === undefined ? 0 : lengths[length]));
    const total = ends.reduce((sum, count) => sum + count, 0);
    const shape = shapeOf(row);
    checkTensor(info, tensor, [...shape.slice(0, -1), total], false);
    const before = ends.slice(0, parts.indexOf(row.name));
    const first = before.reduce((sum, count) => sum + count, 0);
    return placeOf(info, tensor, row.name, source, { first, shape });
  };
  return (rows, prefix) =>
    rows.flatMap((row) => {
      const fused = fusedTensors.find(({ parts }) => parts.includes(row.name));
      const tensor = fused && tensors.get(prefix + fused.source);
      if (fused === undefined || tensor === undefined) return whole(row, prefix);
      return [part(fused, tensor, row, rows)];
    });
}

/** Rows (or values of a vector) from `first` on. */
function placeOf(
  info: ModelInfo,
  tensor: TensorInfo,
  name: string,
  source: string,
  { first, shape }: { readonly first: number; readonly shape: readonly number[] },
): NativePlace {
  const [piece] = tensor.pieces;
  if (
    piece === undefined ||
    tensor.pieces.length > 1 ||
    tensor.transform !== undefined ||
    piece.encoding !== undefined
  ) {
    const problem = `${tensor.name} does not lie in one piece, as it is`;
    throw unsupported(info.path, "tensor", tensor.name, problem);
  }
  const [perRow = 1, ...rest] = shape;
  const rows = rest.reduce((product, length) => product * length, 1);
  const before =
    shape.length === 1 ? bytesOf("F32", first, 1) : bytesOf(tensor.type, perRow, first);
  const { file, offset } = piece;
  return {
    name,
    source,
    file,
    offset: offset + before,
    format: format(tensor.type).id,
    perRow,
    rows,
  };
}

function checkTensor(
  info: ModelInfo,
  tensor: TensorInfo,
  expected: readonly number[],
  isF32: boolean,
): void {
  const { name, type } = tensor;
  // Dimensions of 1 at the end say nothing.
  const shape = [...tensor.shape, 1, 1].slice(0, expected.length);
  const values = tensor.shape.reduce((product, length) => product * length, 1);
  const wanted = expected.reduce((product, length) => product * length, 1);
  if (shape.some((length, i) => length !== expected[i]) || values !== wanted) {
    const [is, has] = [tensor.shape, expected].map((lengths) => `[${lengths.join(", ")}]`);
    throw damaged(info.path, `tensor ${name}`, `is ${is ?? ""}, and by the metadata ${has ?? ""}`);
  }
  if ((isF32 || expected.length === 1) && type !== "F32") {
    const problem = `${name} is ${type}, and the native engine takes norms and biases in F32`;
    throw unsupported(info.path, "type", type, problem);
  }
  if (!format(type).codec) {
    const problem = `${name} is ${type}, which the native engine cannot multiply with`;
    throw unsupported(info.path, "type", type, problem);
  }
}
