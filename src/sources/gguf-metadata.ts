import type { Cursor } from "./byte-source.js";
import type { MetadataEntry, Scalar, ScalarType } from "./model-info.js";

/** Keys of more than this are no keys: it bounds what a hostile file makes us remember. */
const maxKeyBytes = 1 << 16;
/** Longer than any chat template or character map. */
const maxStringBytes = 1 << 26;

interface ScalarReader {
  readonly type: ScalarType;
  /** The least that one takes in a file: bounds the length of an array before it is allocated. */
  readonly bytes: number;
  readonly read: (cursor: Cursor, field: string) => Scalar;
}

function fixed(type: ScalarType, bytes: number, decode: (view: Buffer) => Scalar): ScalarReader {
  return { type, bytes, read: (cursor, field) => decode(cursor.take(bytes, field)) };
}

const arrayId = 9;

/** By GGUF's number of the type. */
const readers: readonly (ScalarReader | undefined)[] = [
  fixed("u8", 1, (view) => view.readUInt8()),
  fixed("i8", 1, (view) => view.readInt8()),
  fixed("u16", 2, (view) => view.readUInt16LE()),
  fixed("i16", 2, (view) => view.readInt16LE()),
  fixed("u32", 4, (view) => view.readUInt32LE()),
  fixed("i32", 4, (view) => view.readInt32LE()),
  fixed("f32", 4, (view) => view.readFloatLE()),
  { type: "bool", bytes: 1, read: readBool },
  { type: "string", bytes: 8, read: (cursor, field) => readString(cursor, field, maxStringBytes) },
  undefined,
  fixed("u64", 8, (view) => view.readBigUInt64LE()),
  fixed("i64", 8, (view) => view.readBigInt64LE()),
  fixed("f64", 8, (view) => view.readDoubleLE()),
];

function readBool(cursor: Cursor, field: string): boolean {
  const offset = cursor.position;
  const byte = cursor.take(1, field).readUInt8();
  if (byte > 1) throw cursor.damaged(field, `a bool is ${byte}, neither 0 nor 1`, offset);
  return byte === 1;
}

/** A string: length in bytes, then UTF-8; what is not UTF-8 becomes U+FFFD (the entry's `raw` keeps it). */
export function readString(cursor: Cursor, field: string, maxBytes: number): string {
  const offset = cursor.position;
  const bytes = readCount(cursor, `length of ${field}`, 1);
  if (bytes > maxBytes)
    throw cursor.damaged(field, `is ${bytes} bytes long, more than ${maxBytes}`, offset);
  return cursor.take(bytes, field).toString("utf8");
}

/**
 * How many things of at least `bytesEach` follow. It is compared with what is left of the file by division, so that no
 * product can overflow.
 */
export function readCount(cursor: Cursor, field: string, bytesEach: number): number {
  const offset = cursor.position;
  const count = cursor.u64(field);
  if (count > BigInt(Math.floor(cursor.remaining / bytesEach))) {
    throw cursor.damaged(
      field,
      `is ${count}, more than the ${cursor.remaining} bytes that are left can hold; the file is cut or damaged`,
      offset,
    );
  }
  return Number(count);
}

/** One key with its value. */
export function readEntry(cursor: Cursor, index: number): MetadataEntry {
  const at = cursor.position;
  const key = readString(cursor, `metadata key ${index}`, maxKeyBytes);
  if (key === "" || key.includes("\0")) {
    throw cursor.damaged(`metadata key ${index}`, "is empty or has a NUL in it", at);
  }
  const field = `metadata ${key}`;
  const id = cursor.u32(`type of ${field}`);
  const from = cursor.position;
  if (id === arrayId)
    return withRaw(cursor, from, { key, type: "array", ...readArray(cursor, field) });
  const reader = readerOf(cursor, id, field);
  return withRaw(cursor, from, { key, type: reader.type, value: reader.read(cursor, field) });
}

function readArray(
  cursor: Cursor,
  field: string,
): { elementType: ScalarType; value: readonly Scalar[] } {
  const id = cursor.u32(`element type of ${field}`);
  if (id === arrayId)
    throw cursor.damaged(
      field,
      "is an array of arrays, which GGUF does not have",
      cursor.position - 4,
    );
  const reader = readerOf(cursor, id, field);
  const count = readCount(cursor, `length of ${field}`, reader.bytes);
  const value: Scalar[] = [];
  for (let i = 0; i < count; i += 1) value.push(reader.read(cursor, field));
  return { elementType: reader.type, value };
}

function readerOf(cursor: Cursor, id: number, field: string): ScalarReader {
  const reader = readers[id];
  if (reader === undefined)
    throw cursor.damaged(field, `has the unknown value type ${id}`, cursor.position - 4);
  return reader;
}

/** Adds the value's bytes as a property that neither JSON nor a spread shows. */
function withRaw(cursor: Cursor, from: number, entry: MetadataEntry): MetadataEntry {
  const raw = Uint8Array.from(cursor.between(from, cursor.position));
  return Object.defineProperty(entry, "raw", { value: raw, enumerable: false });
}
