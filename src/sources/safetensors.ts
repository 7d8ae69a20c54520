import { basename, join } from "node:path";
import { isNibbleError, NibbleError } from "../errors.js";
import type { FormatName } from "../formats.js";
import { formatError, parseHeader, type Cursor } from "./byte-source.js";
import { isObject, parseJson, readJson, type JsonFile } from "./json-file.js";
import type { SourceFile } from "./model-info.js";

/** The cap of the safetensors library itself. */
const maxHeaderBytes = 100_000_000;
const maxDimensions = 8;

/** What a safetensors header says of a tensor; `shape` is in its order: slowest dimension first. */
export interface SafeTensor {
  readonly name: string;
  /** As in the file: F32, BF16, F8_E4M3, I64 ... */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Index into the files of the model. */
  readonly file: number;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsModel {
  readonly files: readonly SourceFile[];
  readonly tensors: readonly SafeTensor[];
}

/** Bytes of a value, for all types of the format. */
const valueBytes: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};

/** Types of weights that can be read, by their name in the file: the same as GGUF's. */
const readable: readonly FormatName[] = ["F32", "F16", "BF16"];

/**
 * The type of a weight.
 *
 * @throws NibbleError ERR_UNSUPPORTED for all but F32, F16 and BF16.
 */
export function weightType(tensor: SafeTensor, path: string): FormatName {
  const type = readable.find((name) => name === tensor.dtype);
  if (type !== undefined) return type;
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: tensor ${tensor.name} has type ${tensor.dtype}; Nibble reads ${readable.join(", ")}: ` +
      "take the unquantized weights of the model",
    { what: `type of tensor ${tensor.name}`, value: tensor.dtype },
  );
}

/**
 * Reads the headers of a directory's safetensors: `model.safetensors`, or the shards that
 * `model.safetensors.index.json` names.
 *
 * @throws NibbleError ERR_FORMAT, ERR_IO (a missing shard), ERR_UNSUPPORTED where there are none.
 */
export async function readSafetensorsDirectory(
  directory: string,
  fileNames: readonly string[],
  signal?: AbortSignal,
): Promise<SafetensorsModel> {
  if (fileNames.includes("model.safetensors")) {
    return readShards(directory, ["model.safetensors"], signal);
  }
  if (!fileNames.includes("model.safetensors.index.json")) {
    return readShards(directory, shardsWithoutIndex(directory, fileNames), signal);
  }
  const index = await readJson(join(directory, "model.safetensors.index.json"), signal);
  const shardOf = weightMap(index);
  const shards = [...new Set(shardOf.values())].sort();
  const model = await readShards(directory, shards, signal);
  const held = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  for (const [name, shard] of shardOf) {
    const tensor = held.get(name);
    if (tensor === undefined || shards[tensor.file] !== shard) {
      throw formatError(index.path, `weight_map ${name}`, `names ${shard}, which does not hold it`);
    }
  }
  for (const { name, file } of model.tensors) {
    if (shardOf.has(name)) continue;
    const problem = `lacks ${name}, which ${shards[file] ?? "a shard"} holds; index and shards are not of one download`;
    throw formatError(index.path, "weight_map", problem);
  }
  return model;
}

/** Shards say themselves how many they are. */
function shardsWithoutIndex(directory: string, fileNames: readonly string[]): readonly string[] {
  const [count] = fileNames.flatMap((name) => shardName.exec(name)?.[1] ?? []).sort();
  if (count === undefined) throw noWeights(directory, fileNames);
  const number = (i: number) => String(i + 1).padStart(5, "0");
  return Array.from(
    { length: Number(count) },
    (_, i) => `model-${number(i)}-of-${count}.safetensors`,
  );
}

const shardName = /^model-\d{5}-of-(\d{5})\.safetensors$/;

function noWeights(directory: string, fileNames: readonly string[]): NibbleError {
  const pickle = fileNames.find((name) => /\.(bin|pth|pt)$/.test(name));
  const remedy =
    pickle === undefined
      ? "download the model's .safetensors files into it"
      : `it has ${pickle}, a PyTorch pickle, which can run code when it is read; take or make safetensors`;
  return new NibbleError("ERR_UNSUPPORTED", `${directory}: has no model.safetensors; ${remedy}`, {
    what: "weights",
    value: pickle ?? "none",
  });
}

function weightMap(index: JsonFile): Map<string, string> {
  const map = index.child("weight_map");
  if (map === undefined) throw index.damaged("weight_map", "is missing");
  const shards = new Map<string, string>();
  for (const [name, shard] of Object.entries(map.object)) {
    // A plain file name: an index must not lead out of its directory.
    if (typeof shard !== "string" || !/^[\w.-]+\.safetensors$/.test(shard)) {
      throw index.damaged(`weight_map ${name}`, "is no plain name of a .safetensors file");
    }
    shards.set(name, shard);
  }
  return shards;
}

/**
 * Reads the headers of safetensors files of a directory, by their names.
 *
 * @throws NibbleError ERR_FORMAT, also where two of them hold the same tensor; ERR_IO (a missing file).
 */
export async function readShards(
  directory: string,
  shards: readonly string[],
  signal: AbortSignal | undefined,
): Promise<SafetensorsModel> {
  const files: SourceFile[] = [];
  const tensors = new Map<string, SafeTensor>();
  for (const [file, shard] of shards.entries()) {
    const path = join(directory, shard);
    const header = await readShard(path, file, signal);
    files.push({ path, bytes: header.bytes });
    for (const tensor of header.tensors) {
      if (tensors.has(tensor.name)) {
        throw formatError(path, `tensor ${tensor.name}`, "stands in another shard too");
      }
      tensors.set(tensor.name, tensor);
    }
  }
  return { files, tensors: [...tensors.values()] };
}

async function readShard(
  path: string,
  file: number,
  signal: AbortSignal | undefined,
): Promise<{ bytes: number; tensors: readonly SafeTensor[] }> {
  try {
    return await parseHeader(path, (cursor) => parseShard(cursor, file), signal);
  } catch (error) {
    if (!isNibbleError(error, "ERR_IO") || error.details.errno !== "ENOENT") throw error;
    const message = `${path}: a shard of the model is missing; download ${basename(path)} too`;
    throw new NibbleError("ERR_IO", message, error.details, { cause: error });
  }
}

function parseShard(
  cursor: Cursor,
  file: number,
): { bytes: number; tensors: readonly SafeTensor[] } {
  const { path, fileBytes } = cursor;
  const length = cursor.u64("header length");
  if (length > BigInt(maxHeaderBytes) || length > BigInt(cursor.remaining)) {
    const bound = Math.min(maxHeaderBytes, cursor.remaining);
    throw cursor.damaged(
      "header length",
      `is ${length}, more than ${bound}; it is cut or damaged`,
      0,
    );
  }
  const text = cursor.take(Number(length), "header").toString("utf8");
  const header = parseJson(path, text, "header");
  const start = cursor.position;
  const tensors = Object.entries(header.object)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => readEntry(path, name, entry, file))
    .sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = 0;
  for (const { name, offset, bytes } of tensors) {
    if (offset !== end) {
      const problem = offset < end ? "overlaps another tensor" : "leaves a gap before it";
      throw formatError(path, `tensor ${name}`, problem, start + offset);
    }
    end += bytes;
  }
  if (end !== fileBytes - start) {
    const problem = `the tensors take ${end} bytes, and the file has ${fileBytes - start} for them`;
    throw formatError(path, "data", `${problem}; it is cut or damaged, fetch it again`, start);
  }
  const placed = tensors.map((tensor) => ({ ...tensor, offset: start + tensor.offset }));
  return { bytes: fileBytes, tensors: placed };
}

/** A row of the header, its offset counted from the start of the data. */
function readEntry(path: string, name: string, entry: unknown, file: number): SafeTensor {
  const field = `tensor ${name}`;
  if (!isObject(entry)) throw formatError(path, field, "is no object");
  const { dtype, shape, data_offsets: offsets } = entry;
  const each = typeof dtype === "string" ? valueBytes[dtype] : undefined;
  if (typeof dtype !== "string" || each === undefined) {
    throw formatError(path, `${field} dtype`, "is unknown");
  }
  if (!isCounts(shape) || shape.length > maxDimensions) {
    throw formatError(path, `${field} shape`, "is no list of up to 8 lengths");
  }
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw formatError(path, `${field} data_offsets`, "is no pair of offsets");
  }
  const [from = 0, to = 0] = offsets;
  const bytes = shape.reduce((product, length) => product * BigInt(length), BigInt(each));
  if (bytes !== BigInt(to) - BigInt(from)) {
    const problem = `takes ${to - from} bytes, but its shape and type need ${bytes}`;
    throw formatError(path, field, problem);
  }
  return { name, dtype, shape, file, offset: from, bytes: to - from };
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && Number(n) >= 0);
}
