import { basename } from "node:path";
import { NibbleError } from "../errors.js";
import { bytesOf, formatOfId } from "../formats.js";
import { parseHeader, type Cursor } from "./byte-source.js";
import { readCount, readEntry, readString } from "./gguf-metadata.js";
import { checkMetadata } from "./gguf-rules.js";
import type { MetadataEntry, ModelInfo, TensorInfo } from "./model-info.js";

/** More keys than this are an attack on memory and time. */
const maxEntries = 1 << 16;
/** The largest models have some 100 000 tensors. */
const maxTensors = 1_000_000;
/** ggml's GGML_MAX_NAME: 63 bytes and a NUL. */
const maxNameBytes = 63;
const maxDimensions = 4;
/** A key takes at least its length, a byte, its type and a byte; a tensor its name, a dimension, type and offset. */
const minEntryBytes = 8 + 1 + 4 + 1;
const minTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the header of one GGUF file, version 2 or 3, little-endian. Nothing in it is trusted: every count is bounded by
 * the bytes that are left, every tensor lies inside of the file, in order and without a gap but for its padding.
 *
 * @throws NibbleError ERR_FORMAT with path, offset and field; ERR_UNSUPPORTED for big-endian files, version 1 and tensor
 * types that Nibble does not know; ERR_IO.
 */
export async function readGguf(path: string, options: ReadOptions = {}): Promise<ModelInfo> {
  return parseHeader(path, (cursor) => parseGguf(path, cursor), options.signal);
}

function parseGguf(path: string, cursor: Cursor): ModelInfo {
  checkMagic(cursor);
  const tensorCount = countOf(cursor, "number of tensors", minTensorBytes, maxTensors);
  const entryCount = countOf(cursor, "number of metadata keys", minEntryBytes, maxEntries);
  const metadata = readMetadata(cursor, entryCount);
  const alignment = checkMetadata(cursor, metadata);
  const tensors = readTensors(cursor, tensorCount, alignment);
  return {
    path,
    container: "gguf",
    metadata,
    tensors,
    files: [{ path, bytes: cursor.fileBytes }],
  };
}

function countOf(cursor: Cursor, field: string, bytesEach: number, most: number): number {
  const offset = cursor.position;
  const count = readCount(cursor, field, bytesEach);
  if (count > most) throw cursor.damaged(field, `is ${count}, more than ${most}`, offset);
  return count;
}

/** What a file is that begins with these bytes, where it is not a GGUF. */
const otherMagics: readonly (readonly [RegExp, string])[] = [
  [/^FUGG/, "a draft of the format that no program writes any more"],
  [
    /^(lmgg|tjgg|fmgg|algg)/,
    "a GGML file from before August 2023; convert it with an old llama.cpp",
  ],
  [/^\s*<(!doctype|html|\?xml)/i, "a web page; the download failed, fetch the file itself"],
  [/^version https:\/\/git-lfs/, "a Git LFS pointer; run `git lfs pull`"],
  // eslint-disable-next-line no-control-regex -- bytes, not text
  [/^PK\x03\x04|^\x80\x02/, "a PyTorch pickle; save it as safetensors and give that directory"],
  [/^[\s\S]{8}\{"/, "a safetensors file; give the directory that it is in"],
];

function checkMagic(cursor: Cursor): void {
  if (cursor.fileBytes >= 4 && cursor.take(4, "magic").toString("latin1") === "GGUF") {
    checkVersion(cursor);
    return;
  }
  const start = cursor.between(0, Math.min(cursor.fileBytes, 64)).toString("latin1");
  const other = otherMagics.find(([pattern]) => pattern.test(start))?.[1];
  const problem = other === undefined ? "the file does not begin with GGUF" : `this is ${other}`;
  throw cursor.damaged("magic", problem, 0);
}

function checkVersion(cursor: Cursor): void {
  const version = cursor.u32("version");
  if (version === 2 || version === 3) return;
  const { path } = cursor;
  const unsupported = (text: string, value: string) =>
    new NibbleError("ERR_UNSUPPORTED", `${path}: ${text}`, { what: "GGUF version", value });
  if ((version & 0xffff) === 0) {
    throw unsupported("is big-endian; take the little-endian file of the model", "big-endian");
  }
  throw unsupported(`has version ${version} of GGUF, and Nibble reads 2 and 3`, String(version));
}

function readMetadata(cursor: Cursor, count: number): readonly MetadataEntry[] {
  const entries: MetadataEntry[] = [];
  const keys = new Set<string>();
  for (let i = 0; i < count; i += 1) {
    const offset = cursor.position;
    const entry = readEntry(cursor, i);
    if (keys.has(entry.key))
      throw cursor.damaged(`metadata ${entry.key}`, "stands there twice", offset);
    keys.add(entry.key);
    entries.push(entry);
  }
  return entries;
}

/** A row of the tensor table, its offset counted from the start of the data. */
interface TableRow {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorInfo["type"];
  readonly bytes: number;
  readonly dataOffset: number;
}

function readTensors(cursor: Cursor, count: number, alignment: number): readonly TensorInfo[] {
  const names = new Set<string>();
  const rows: TableRow[] = [];
  // Tensors follow one another in the order of the table, each padded: what ggml asks for. So none overlap.
  let expected = 0;
  for (let i = 0; i < count; i += 1) {
    const offset = cursor.position;
    const row = readTableRow(cursor, i);
    if (names.has(row.name))
      throw cursor.damaged(`tensor ${row.name}`, "stands there twice", offset);
    names.add(row.name);
    if (row.dataOffset % alignment !== 0) {
      throw cursor.damaged(
        `tensor ${row.name}`,
        `its offset ${row.dataOffset} is no multiple of ${alignment}`,
        offset,
      );
    }
    if (row.dataOffset !== expected) {
      const problem =
        row.dataOffset < expected ? "overlaps the tensor before it" : "leaves a gap before it";
      throw cursor.damaged(
        `tensor ${row.name}`,
        `${problem}: its offset is ${row.dataOffset}, not ${expected}`,
        offset,
      );
    }
    expected += padded(row.bytes, alignment);
    rows.push(row);
  }
  const dataStart = padded(cursor.position, alignment);
  return rows.map(({ name, type, shape, bytes, dataOffset }) => {
    if (bytes > cursor.fileBytes - dataStart - dataOffset) {
      throw cursor.damaged(
        `tensor ${name}`,
        `ends after the file, which has ${cursor.fileBytes} bytes; it is cut, fetch it again`,
        dataStart + dataOffset,
      );
    }
    return {
      name,
      type,
      shape,
      bytes,
      pieces: [{ file: 0, offset: dataStart + dataOffset, bytes }],
    };
  });
}

function padded(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function readTableRow(cursor: Cursor, index: number): TableRow {
  const start = cursor.position;
  const name = readString(cursor, `name of tensor ${index}`, maxNameBytes);
  const field = `tensor ${name}`;
  if (name === "" || name.includes("\0"))
    throw cursor.damaged(`name of tensor ${index}`, "is empty or has a NUL", start);
  const dimensions = cursor.u32(`dimensions of ${field}`);
  if (dimensions < 1 || dimensions > maxDimensions) {
    throw cursor.damaged(
      field,
      `has ${dimensions} dimensions, not 1 to ${maxDimensions}`,
      cursor.position - 4,
    );
  }
  const shape: number[] = [];
  for (let i = 0; i < dimensions; i += 1) shape.push(readLength(cursor, field, shape));
  const type = formatOfType(cursor, field);
  const [perRow = 1] = shape;
  if (perRow % type.values !== 0) {
    throw cursor.damaged(
      field,
      `a row of ${perRow} is no multiple of ${type.name}'s block of ${type.values}`,
      start,
    );
  }
  const bytes = bytesOf(type.name, perRow, shape.reduce((product, n) => product * n, 1) / perRow);
  const at = cursor.position;
  const dataOffset = cursor.u64(`offset of ${field}`);
  // Together with the tensor's length the offset stays exact in a double: no file is longer than 2^53 bytes.
  if (dataOffset > BigInt(cursor.fileBytes) || bytes > cursor.fileBytes) {
    throw cursor.damaged(
      field,
      `does not fit the file, which has ${cursor.fileBytes} bytes; it is cut or damaged`,
      at,
    );
  }
  return { name, shape, type: type.name, bytes, dataOffset: Number(dataOffset) };
}

/** A dimension: at least 1, and the product of all so far stays an exact integer. */
function readLength(cursor: Cursor, field: string, before: readonly number[]): number {
  const offset = cursor.position;
  const length = cursor.take(8, `shape of ${field}`).readBigInt64LE();
  const product = before.reduce((all, n) => all * BigInt(n), length);
  if (length < 1n || product > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw cursor.damaged(
      field,
      `a dimension is ${length}: the tensor has no values, or more than any file holds`,
      offset,
    );
  }
  return Number(length);
}

const removedIds = new Set([4, 5, 31, 32, 33, 36, 37, 38]);

function formatOfType(cursor: Cursor, field: string): NonNullable<ReturnType<typeof formatOfId>> {
  const offset = cursor.position;
  const id = cursor.u32(`type of ${field}`);
  const format = formatOfId(id);
  if (format !== undefined) return format;
  if (removedIds.has(id)) {
    throw cursor.damaged(
      field,
      `has type ${id}, which was removed from GGUF; make the file again`,
      offset,
    );
  }
  const fork = (id >= 133 && id <= 158) || (id >= 202 && id <= 399);
  const origin = fork ? ", one of ik_llama.cpp's own" : "";
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${basename(cursor.path)}: ${field} has the unknown tensor type ${id}${origin}`,
    { what: `type of ${field}`, value: String(id) },
  );
}
