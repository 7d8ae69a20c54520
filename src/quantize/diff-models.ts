import { argumentError } from "../errors.js";
import { format, type FormatName } from "../formats.js";
import { threadCount } from "../native/call.js";
import type { ThreadedCallOptions } from "../progress.js";
import {
  isPlain,
  type MetadataEntry,
  type ModelInfo,
  type TensorInfo,
} from "../sources/model-info.js";
import { openSource } from "../sources/open.js";
import { compareTensors } from "./compare-tensors.js";
import { hashTensors } from "./hash-tensors.js";
import { tensorError, type TensorError } from "./tensor-errors.js";

/** A key whose type or value differs; a side is missing where that model does not have the key. */
export interface MetadataDifference {
  readonly key: string;
  readonly a?: MetadataEntry;
  readonly b?: MetadataEntry;
}

/**
 * A tensor that both models have. The errors are those of B's values against A's, where the shapes are the same and both
 * types have a codec.
 */
export interface TensorDifference extends Partial<TensorError> {
  readonly name: string;
  readonly types: readonly [FormatName, FormatName];
  /** GGUF order: shape[0] values in a row. */
  readonly shapes: readonly [readonly number[], readonly number[]];
  /** Whether type, shape and bytes are the same (the values, where A's are made of other bytes). */
  readonly same: boolean;
}

export interface DiffReport {
  readonly a: string;
  readonly b: string;
  readonly metadata: readonly MetadataDifference[];
  readonly onlyInA: readonly string[];
  readonly onlyInB: readonly string[];
  /** Of both models, in the order of B. */
  readonly tensors: readonly TensorDifference[];
  /** Whether nothing differs. */
  readonly same: boolean;
}

/**
 * Compares two models: metadata, tensors, types, shapes and values. A is a Hugging Face directory or a GGUF, B a GGUF;
 * the errors are relative to A.
 *
 * @throws NibbleError ERR_ARGUMENT where B is no GGUF; ERR_FORMAT, ERR_UNSUPPORTED, ERR_IO; `signal.reason` on abort.
 */
export async function diffModels(
  a: string,
  b: string,
  options: ThreadedCallOptions = {},
): Promise<DiffReport> {
  const { signal } = options;
  const threads = threadCount(options.threads);
  const [modelA, modelB] = [await openSource(a, { signal }), await openSource(b, { signal })];
  if (modelB.container !== "gguf") throw argumentError("B", "a GGUF file", b);
  const metadata = diffMetadata(modelA.metadata, modelB.metadata);
  const inA = new Map(modelA.tensors.map((tensor) => [tensor.name, tensor]));
  const inB = new Set(modelB.tensors.map(({ name }) => name));
  const shared = modelB.tensors.filter(({ name }) => inA.has(name));
  const tensors = await diffTensors(modelA, { ...modelB, tensors: shared }, threads, options);
  const onlyInA = [...inA.keys()].filter((name) => !inB.has(name));
  const onlyInB = [...inB].filter((name) => !inA.has(name));
  const found = metadata.length + onlyInA.length + onlyInB.length;
  const same = found === 0 && tensors.every((tensor) => tensor.same);
  return { a, b, metadata, onlyInA, onlyInB, tensors, same };
}

/** In the order of A, then what only B has. */
function diffMetadata(
  inA: readonly MetadataEntry[],
  inB: readonly MetadataEntry[],
): readonly MetadataDifference[] {
  const left = new Map(inB.map((entry) => [entry.key, entry]));
  const differences: MetadataDifference[] = [];
  for (const a of inA) {
    const b = left.get(a.key);
    left.delete(a.key);
    if (b === undefined) differences.push({ key: a.key, a });
    else if (!isSame(a, b)) differences.push({ key: a.key, a, b });
  }
  return [...differences, ...[...left.values()].map((b) => ({ key: b.key, b }))];
}

function isSame(a: MetadataEntry, b: MetadataEntry): boolean {
  if (a.type !== b.type || a.elementType !== b.elementType) return false;
  // The bytes, where there are any: a text that is no valid UTF-8 reads like another one.
  if (a.raw !== undefined && b.raw !== undefined) return Buffer.compare(a.raw, b.raw) === 0;
  const [valuesA, valuesB] = [[a.value].flat(), [b.value].flat()];
  return (
    valuesA.length === valuesB.length &&
    valuesA.every((value, i) => isSameScalar(a, value, valuesB[i]))
  );
}

/** An F32 that did not come from a GGUF may have more digits than the type keeps. */
function isSameScalar({ type, elementType }: MetadataEntry, a: unknown, b: unknown): boolean {
  if ((elementType ?? type) !== "f32") return Object.is(a, b);
  return Object.is(Math.fround(Number(a)), Math.fround(Number(b)));
}

/** `b` has only tensors that `a` has too. */
async function diffTensors(
  a: ModelInfo,
  b: ModelInfo,
  threads: number,
  options: ThreadedCallOptions,
): Promise<readonly TensorDifference[]> {
  const inA = new Map(a.tensors.map((tensor) => [tensor.name, tensor]));
  const pairs = b.tensors.map((tensor) => [inA.get(tensor.name) as TensorInfo, tensor] as const);
  const comparable = pairs.filter(([from, to]) => isComparable(from, to));
  const sources = new Map(comparable.map(([from]) => [from.name, from]));
  const compared = { ...b, tensors: comparable.map(([, to]) => to) };
  const rows = await compareTensors(compared, a, sources, threads, options, "diff");
  const errors = new Map(compared.tensors.map((to, i) => [to.name, rows[i]]));
  const alike = pairs.filter(
    ([from, to]) =>
      // An error means that the bytes differ; so they need not be read again.
      isSameShape(from, to) &&
      from.type === to.type &&
      !((errors.get(to.name)?.maxAbsError ?? 0) > 0),
  );
  const same = await sameTensors(a, b, alike, options);
  return pairs.map(([from, to]) => {
    const stats = errors.get(to.name);
    const values = to.shape.reduce((product, n) => product * n, 1);
    return {
      name: to.name,
      types: [from.type, to.type],
      shapes: [from.shape, to.shape],
      same: same.has(to.name),
      ...(stats !== undefined && tensorError(stats, values)),
    };
  });
}

function isComparable(from: TensorInfo, to: TensorInfo): boolean {
  return isSameShape(from, to) && format(from.type).codec && format(to.type).codec;
}

function isSameShape(from: TensorInfo, to: TensorInfo): boolean {
  return from.shape.join() === to.shape.join();
}

/** The names of those pairs whose bytes are the same. Where A's values are made of its bytes they have been compared. */
async function sameTensors(
  a: ModelInfo,
  b: ModelInfo,
  alike: readonly (readonly [TensorInfo, TensorInfo])[],
  options: ThreadedCallOptions,
): Promise<ReadonlySet<string>> {
  const same = new Set(alike.filter(([from]) => !isPlain(from)).map(([from]) => from.name));
  const asTheyAre = alike.filter(([from]) => isPlain(from));
  const sumsA = await hashTensors({ ...a, tensors: asTheyAre.map(([from]) => from) }, options);
  const sumsB = await hashTensors({ ...b, tensors: asTheyAre.map(([, to]) => to) }, options);
  asTheyAre.forEach(([from], i) => {
    if (sumsA[i] === sumsB[i]) same.add(from.name);
  });
  return same;
}
