import { NibbleError } from "../errors.js";
import { formatError } from "./byte-source.js";
import type { LengthOf } from "./hf-lengths.js";
import type { Change, TensorRule } from "./hf-rules.js";
import type { HfWeight } from "./hf-weights.js";
import { rowsOf, type TensorInfo, type TensorTransform } from "./model-info.js";

/** Rows of a weight: the first, and how many. */
type Rows = readonly [first: number, count: number];

/** How a change is carried: by an order of the weight's rows, or by what the stream does with its values. */
interface Carried {
  readonly transform?: (lengthOf: LengthOf) => TensorTransform;
  /** The rows in their new order; `part` counts the tensors that come of the weight. */
  readonly rows?: (lengthOf: LengthOf, part: number) => readonly Rows[];
}

const changes: Readonly<Record<Change, Carried>> = {
  interleave: {
    transform: (lengthOf) => ({ kind: "interleave-halves", headDim: lengthOf("headDim") }),
  },
  transpose: { transform: () => ({ kind: "transpose" }) },
  "add-one": { transform: () => ({ kind: "add-one" }) },
  ungroup: { rows: ungroupedRows },
  "split-halves": {
    rows: (lengthOf, part) => {
      const half = lengthOf("expertFeedForward");
      return Array.from({ length: lengthOf("experts") }, (_, expert) => [
        (2 * expert + part) * half,
        half,
      ]);
    },
  },
};

/** A group is the queries that share a key, that key, its value. */
function ungroupedRows(lengthOf: LengthOf): Rows[] {
  const [groups, headDim] = [lengthOf("keyValueHeads"), lengthOf("headDim")];
  const queries = lengthOf("queries") / groups;
  const perGroup = queries + 2 * headDim;
  const each = (first: number, count: number): Rows[] =>
    Array.from({ length: groups }, (_, group) => [group * perGroup + first, count] as const);
  return [...each(0, queries), ...each(queries, headDim), ...each(queries + headDim, headDim)];
}

/**
 * The tensor that weights become: one, or several that are stacked in their order.
 *
 * @param part Which of the tensors of a weight that is split.
 * @throws NibbleError ERR_FORMAT where stacked weights have several types, ERR_UNSUPPORTED where the rows of encoded
 * weights would have to be moved.
 */
export function tensorOf(
  path: string,
  name: string,
  weights: readonly HfWeight[],
  rule: TensorRule,
  part: number,
  lengthOf: LengthOf,
): TensorInfo {
  const [first] = weights as [HfWeight];
  const other = weights.find(({ type }) => type !== first.type);
  if (other !== undefined) {
    const problem = `has type ${other.type}, and ${first.name}, which is stacked with it, ${first.type}`;
    throw formatError(path, `tensor ${other.name}`, problem);
  }
  const carried = rule.change === undefined ? {} : changes[rule.change];
  const rows = carried.rows?.(lengthOf, part);
  const moved = weights.map((weight) => (rows === undefined ? weight : withRows(weight, rows)));
  const transform = carried.transform?.(lengthOf) ?? first.transform;
  if (first.transform !== undefined && transform !== first.transform) {
    throw movedError(first);
  }
  return {
    name,
    type: first.type,
    shape: ggufShape(first, rule, rule.stack === undefined ? [] : [weights.length]),
    bytes: moved.reduce((sum, { bytes }) => sum + bytes, 0),
    pieces: moved.flatMap(({ pieces }) => pieces),
    ...(transform !== undefined && { transform }),
  };
}

/** GGUF's order: the length of a row first. */
function ggufShape(
  { shape }: HfWeight,
  { change, to }: TensorRule,
  stack: readonly number[],
): readonly number[] {
  const reversed = [...stack, ...shape].reverse();
  if (change === "transpose") return [...shape];
  if (to.length === 1) return reversed;
  const [perRow = 1, rows = 1, ...others] = reversed;
  return [perRow, rows / to.length, ...others];
}

/** A weight with some of its rows, in another order. A row of what has one dimension is a value. */
function withRows(weight: HfWeight, rows: readonly Rows[]): HfWeight {
  // Rows that are columns in the file do not lie together.
  if (weight.transform !== undefined) throw movedError(weight);
  const perRow = weight.shape.length === 1 ? 1 : (weight.shape.at(-1) ?? 1);
  const total = weight.shape.reduce((product, length) => product * length, 1) / perRow;
  const pieces = rows.flatMap(([first, count]) =>
    rowsOf(weight.pieces, weight.bytes / total, first, count),
  );
  return { ...weight, pieces, bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function movedError({ name }: HfWeight): NibbleError {
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${name}: GGUF wants its rows in another order, which Nibble does not do here; ` +
      "take the model's unquantized weights",
    { what: `order of tensor ${name}`, value: "quantized" },
  );
}
