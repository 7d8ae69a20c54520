import { argumentError, NibbleError } from "../errors.js";
import { format, type FormatName } from "../formats.js";
import type { MetadataEntry, Scalar, ScalarType } from "./model-info.js";

/** What a GGUF's header says of a tensor; `dataOffset` is in bytes from the start of the data. */
export interface HeaderTensor {
  readonly name: string;
  readonly type: FormatName;
  readonly shape: readonly number[];
  readonly dataOffset: number;
}

const version = 3;
const arrayId = 9;

interface ScalarWriter {
  /** The type's number in GGUF files. */
  readonly id: number;
  readonly write: (writer: ByteWriter, value: Scalar) => void;
}

const scalarWriters: Record<ScalarType, ScalarWriter> = {
  u8: { id: 0, write: (w, value) => w.number(1, (b, at) => b.writeUInt8(Number(value), at)) },
  i8: { id: 1, write: (w, value) => w.number(1, (b, at) => b.writeInt8(Number(value), at)) },
  u16: { id: 2, write: (w, value) => w.number(2, (b, at) => b.writeUInt16LE(Number(value), at)) },
  i16: { id: 3, write: (w, value) => w.number(2, (b, at) => b.writeInt16LE(Number(value), at)) },
  u32: { id: 4, write: (w, value) => w.u32(Number(value)) },
  i32: { id: 5, write: (w, value) => w.number(4, (b, at) => b.writeInt32LE(Number(value), at)) },
  f32: { id: 6, write: (w, value) => w.number(4, (b, at) => b.writeFloatLE(Number(value), at)) },
  bool: { id: 7, write: (w, value) => w.number(1, (b, at) => b.writeUInt8(value ? 1 : 0, at)) },
  string: { id: 8, write: (w, value) => w.string(String(value)) },
  u64: { id: 10, write: (w, value) => w.u64(BigInt(value)) },
  i64: {
    id: 11,
    write: (w, value) => w.number(8, (b, at) => b.writeBigInt64LE(BigInt(value), at)),
  },
  f64: { id: 12, write: (w, value) => w.number(8, (b, at) => b.writeDoubleLE(Number(value), at)) },
};

/**
 * The header of a little-endian GGUF of version 3, padded with zeros to a multiple of `alignment`: counts, metadata
 * and tensor table, in the order given.
 *
 * @throws NibbleError ERR_INTERNAL where a metadata value is not of its type.
 */
export function ggufHeader(
  metadata: readonly MetadataEntry[],
  tensors: readonly HeaderTensor[],
  alignment: number,
): Uint8Array {
  const writer = new ByteWriter();
  writer.bytes(Buffer.from("GGUF", "latin1"));
  writer.u32(version);
  writer.u64(BigInt(tensors.length));
  writer.u64(BigInt(metadata.length));
  for (const entry of metadata) writeEntry(writer, entry);
  for (const { name, type, shape, dataOffset } of tensors) {
    writer.string(name);
    writer.u32(shape.length);
    for (const length of shape) writer.u64(BigInt(length));
    writer.u32(format(type).id);
    writer.u64(BigInt(dataOffset));
  }
  return writer.padded(alignment);
}

/**
 * Makes sure that every value is of its type.
 *
 * @throws NibbleError ERR_ARGUMENT with the key of one that is not.
 */
export function checkEntries(option: string, entries: readonly MetadataEntry[]): void {
  for (const entry of entries) {
    try {
      ggufHeader([entry], [], 1);
    } catch {
      throw argumentError(option, `values of their types (${entry.type})`, entry.key);
    }
  }
}

function writeEntry(writer: ByteWriter, entry: MetadataEntry): void {
  writer.string(entry.key);
  writer.u32(entry.type === "array" ? arrayId : scalarWriters[entry.type].id);
  if (entry.raw !== undefined) {
    writer.bytes(entry.raw);
    return;
  }
  try {
    writeValue(writer, entry);
  } catch (cause) {
    throw mismatch(entry, cause);
  }
}

function writeValue(writer: ByteWriter, entry: MetadataEntry): void {
  const { type, elementType, value } = entry;
  if (type !== "array") {
    if (isList(value)) throw mismatch(entry);
    scalarWriters[type].write(writer, value);
    return;
  }
  if (!isList(value) || elementType === undefined) throw mismatch(entry);
  const { id, write } = scalarWriters[elementType];
  writer.u32(id);
  writer.u64(BigInt(value.length));
  for (const element of value) write(writer, element);
}

/** Metadata from a file was checked when it was read, so that a value that is not of its type is one that we made. */
function mismatch({ key, type, elementType }: MetadataEntry, cause?: unknown): NibbleError {
  const expected = type === "array" ? `array of ${elementType ?? "an unknown type"}` : type;
  const message = `metadata ${key}: the value is no ${expected}`;
  return new NibbleError("ERR_INTERNAL", message, {}, { cause });
}

function isList(value: MetadataEntry["value"]): value is readonly Scalar[] {
  return Array.isArray(value);
}

/** Little-endian bytes in a buffer that doubles: a vocabulary of 256k tokens is written in one pass. */
class ByteWriter {
  #buffer = Buffer.alloc(64 * 1024);
  #length = 0;

  number(bytes: number, write: (buffer: Buffer, at: number) => void): void {
    this.#reserve(bytes);
    write(this.#buffer, this.#length);
    this.#length += bytes;
  }

  u32(value: number): void {
    this.number(4, (buffer, at) => buffer.writeUInt32LE(value, at));
  }

  u64(value: bigint): void {
    this.number(8, (buffer, at) => buffer.writeBigUInt64LE(value, at));
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length, (buffer, at) => buffer.set(bytes, at));
  }

  /** Length in bytes, then UTF-8. */
  string(text: string): void {
    const bytes = Buffer.byteLength(text, "utf8");
    this.u64(BigInt(bytes));
    this.number(bytes, (buffer, at) => buffer.write(text, at, "utf8"));
  }

  padded(alignment: number): Uint8Array {
    this.#reserve(alignment);
    const end = Math.ceil(this.#length / alignment) * alignment;
    return new Uint8Array(this.#buffer.buffer, this.#buffer.byteOffset, end);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
