import { open } from "node:fs/promises";
import { ioError, type NibbleError } from "../errors.js";
import { ggufHeader } from "../sources/gguf-writer.js";
import { formatError } from "../sources/byte-source.js";
import { readGguf } from "../sources/gguf.js";
import type { MetadataEntry, ModelInfo, TensorInfo } from "../sources/model-info.js";
import {
  entryProblem,
  maxEntries,
  maxNameBytes,
  type ImportanceEntry,
  type ImportanceMatrix,
} from "./types.js";

/**
 * The tensors of an entry, by what follows its name; all are F32. `.in_sum2` and `.in_sum` are columns x experts (GGUF
 * order), `.counts` is 1 x experts; one expert is no dimension. Upstream's quantizer takes the first two and passes over
 * every other tensor; upstream's own proposal for the sums has the same name and shape.
 */
const suffixes = { sumsOfSquares: ".in_sum2", counts: ".counts", sums: ".in_sum" } as const;
type Part = keyof typeof suffixes;
type Parts = Partial<Record<Part, TensorInfo>>;

const keys = {
  type: "general.type",
  datasets: "imatrix.datasets",
  chunks: "imatrix.chunk_count",
  chunkSize: "imatrix.chunk_size",
} as const;
const typeName = "imatrix";

/** GGUF's alignment where the metadata names none. */
const alignment = 32;
const maxUint32 = 2 ** 32 - 1;
/** Longer ones are not read: the 256 experts of a 671B model take 1 GiB together, their largest matrix 8 MiB. */
const maxTensorBytes = 2 ** 30;
const maxDataBytes = 2 ** 32;

/**
 * Reads an importance matrix in upstream's GGUF format. Tensors that are no part of it are passed over.
 *
 * @throws NibbleError ERR_FORMAT, ERR_UNSUPPORTED, ERR_IO; `signal.reason` on abort.
 */
export async function readImatrixGguf(
  path: string,
  signal: AbortSignal | undefined,
): Promise<ImportanceMatrix> {
  const file = await readGguf(path, { signal });
  const type = valueOf(file, keys.type);
  if (type !== typeName) {
    const is = typeof type === "string" ? JSON.stringify(type) : "missing";
    throw formatError(path, keys.type, `is ${is}: the file is no importance matrix`);
  }
  const chunks = numberOf(file, keys.chunks);
  const chunkSize = numberOf(file, keys.chunkSize);
  const datasets = textsOf(file, keys.datasets);
  const groups = groupTensors(file);
  const handle = await open(path, "r").catch((error: unknown) => {
    throw ioError(error, path, "open");
  });
  try {
    const entries: ImportanceEntry[] = [];
    const load = async (tensor: TensorInfo): Promise<Float32Array> => {
      signal?.throwIfAborted();
      const values = new Float32Array(tensor.bytes / 4);
      // Files are little-endian, as is every machine that Nibble runs on.
      const bytes = new Uint8Array(values.buffer);
      const offset = tensor.pieces[0]?.offset ?? 0;
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, offset + at);
        if (bytesRead === 0) throw damaged(path, tensor.name, "became shorter while it was read");
        at += bytesRead;
      }
      return values;
    };
    for (const [name, parts] of groups) entries.push(await readEntry(path, name, parts, load));
    return { entries, chunks, chunkSize, datasets };
  } catch (error) {
    throw ioError(error, path, "read");
  } finally {
    await handle.close();
  }
}

function damaged(path: string, tensor: string, problem: string): NibbleError {
  return formatError(path, `tensor ${tensor}`, problem);
}

function valueOf(file: ModelInfo, key: string): MetadataEntry["value"] | undefined {
  return file.metadata.find((entry) => entry.key === key)?.value;
}

function numberOf(file: ModelInfo, key: string): number {
  const value = valueOf(file, key);
  const whole = typeof value === "number" && Number.isInteger(value) && value >= 0;
  if (!whole) throw formatError(file.path, `metadata ${key}`, "is missing, or is no whole number");
  return value;
}

function textsOf(file: ModelInfo, key: string): readonly string[] {
  const entry = file.metadata.find((one) => one.key === key);
  const { elementType, value } = entry ?? {};
  if (!Array.isArray(value) || elementType !== "string")
    throw formatError(file.path, `metadata ${key}`, "is missing, or is no array of strings");
  return value as readonly string[];
}

/** The tensors by entry. Types and lengths are checked, so that what will be allocated is bounded. */
function groupTensors(file: ModelInfo): ReadonlyMap<string, Parts> {
  const groups = new Map<string, Parts>();
  let bytes = 0;
  for (const tensor of file.tensors) {
    const part = (Object.keys(suffixes) as Part[]).find((key) =>
      tensor.name.endsWith(suffixes[key]),
    );
    if (part === undefined) continue;
    if (tensor.type !== "F32")
      throw damaged(file.path, tensor.name, `has the type ${tensor.type}, not F32`);
    bytes += tensor.bytes;
    if (tensor.bytes > maxTensorBytes || bytes > maxDataBytes)
      throw damaged(file.path, tensor.name, "has more values than an importance matrix can have");
    const name = tensor.name.slice(0, -suffixes[part].length);
    groups.set(name, { ...groups.get(name), [part]: tensor });
  }
  if (groups.size === 0 || groups.size > maxEntries) {
    const problem = `there are ${groups.size} entries, not 1 to ${maxEntries}`;
    throw formatError(file.path, "tensors", problem);
  }
  return groups;
}

async function readEntry(
  path: string,
  name: string,
  parts: Parts,
  load: (tensor: TensorInfo) => Promise<Float32Array>,
): Promise<ImportanceEntry> {
  const { sumsOfSquares, counts, sums } = parts;
  if (sumsOfSquares === undefined || counts === undefined) {
    const missing = name + (counts === undefined ? suffixes.counts : suffixes.sumsOfSquares);
    throw damaged(path, missing, "is missing; make the file again");
  }
  const experts = counts.shape.reduce((product, length) => product * length, 1);
  const [columns = 1] = sumsOfSquares.shape;
  for (const tensor of [sumsOfSquares, sums]) {
    if (tensor === undefined) continue;
    const rows = tensor.shape.slice(1).reduce((product, length) => product * length, 1);
    if (tensor.shape[0] !== columns || rows !== experts) {
      const problem = `its shape ${tensor.shape.join(" x ")} is not ${columns} columns x ${experts} counts`;
      throw damaged(path, tensor.name, problem);
    }
  }
  const entry: ImportanceEntry = {
    name,
    columns,
    experts,
    sumsOfSquares: await load(sumsOfSquares),
    counts: await load(counts),
    ...(sums === undefined ? {} : { sums: await load(sums) }),
  };
  const problem = entryProblem(entry);
  if (problem !== undefined) throw damaged(path, name, problem);
  return entry;
}

/** Why a matrix cannot be written, or undefined. */
export function matrixProblem(matrix: ImportanceMatrix): string | undefined {
  const { entries, chunks, chunkSize } = matrix;
  if (entries.length < 1 || entries.length > maxEntries) return `${entries.length} entries`;
  for (const number of [chunks, chunkSize]) {
    if (!(Number.isInteger(number) && number >= 0 && number <= maxUint32))
      return `${chunks} chunks of ${chunkSize} tokens`;
  }
  const names = new Set<string>();
  for (const entry of entries) {
    const problem = entryProblem(entry);
    if (problem !== undefined) return `${entry.name}: ${problem}`;
    if (names.has(entry.name)) return `${entry.name} twice`;
    names.add(entry.name);
    if (Buffer.byteLength(entry.name + suffixes.sumsOfSquares) > maxNameBytes)
      return `${entry.name}: too long a name to have ${suffixes.sumsOfSquares} added`;
  }
  return undefined;
}

/**
 * The bytes of a matrix as GGUF, in pieces; the caller has looked for a `matrixProblem`. Entries are sorted by name, as
 * upstream has them: the same figures make the same file.
 */
export function* imatrixGgufBytes(matrix: ImportanceMatrix): Generator<Uint8Array> {
  const metadata: readonly MetadataEntry[] = [
    { key: keys.type, type: "string", value: typeName },
    { key: keys.datasets, type: "array", elementType: "string", value: matrix.datasets },
    { key: keys.chunks, type: "u32", value: matrix.chunks },
    { key: keys.chunkSize, type: "u32", value: matrix.chunkSize },
  ];
  const byName = (a: ImportanceEntry, b: ImportanceEntry): number => (a.name < b.name ? -1 : 1);
  const tensors = [...matrix.entries].sort(byName).flatMap(tensorsOf);
  let dataOffset = 0;
  const table = tensors.map(({ name, shape, values }) => {
    const row = { name, type: "F32", shape, dataOffset } as const;
    dataOffset += values.byteLength + paddingAfter(values.byteLength);
    return row;
  });
  yield ggufHeader(metadata, table, alignment);
  for (const { values } of tensors) {
    yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const padding = paddingAfter(values.byteLength);
    if (padding > 0) yield new Uint8Array(padding);
  }
}

function tensorsOf({ name, columns, experts, sumsOfSquares, counts, sums }: ImportanceEntry) {
  // ggml writes no dimension of 1 after the first.
  const across = experts === 1 ? [] : [experts];
  const shape = [columns, ...across];
  const tensors = [
    { name: name + suffixes.sumsOfSquares, shape, values: sumsOfSquares },
    { name: name + suffixes.counts, shape: [1, ...across], values: counts },
  ];
  if (sums !== undefined) tensors.push({ name: name + suffixes.sums, shape, values: sums });
  return tensors;
}

function paddingAfter(bytes: number): number {
  return (alignment - (bytes % alignment)) % alignment;
}
