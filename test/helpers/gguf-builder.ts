import { bytesOf, findFormat } from "../../src/formats.js";

/** GGUF's numbers of value types; written down again here, so that the reader is not tested against itself. */
const typeIds: Record<string, number> = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
};

export interface BuiltEntry {
  readonly key: string;
  readonly type: string;
  readonly elementType?: string;
  readonly value: unknown;
}

export interface BuiltTensor {
  readonly name: string;
  /** A name of a tensor type, or any number. */
  readonly type: string | number;
  readonly shape: readonly (number | bigint)[];
  /** Zeros where it is left out. */
  readonly data?: Uint8Array;
  /** In place of the offset that follows from the tensors before. */
  readonly offset?: number | bigint;
}

export interface BuiltFile {
  readonly magic?: string;
  readonly version?: number;
  /** In place of the true counts. */
  readonly tensorCount?: bigint;
  readonly entryCount?: bigint;
  readonly metadata?: readonly BuiltEntry[];
  readonly tensors?: readonly BuiltTensor[];
  readonly alignment?: number;
}

/** The bytes of a GGUF, well-formed or not: nothing that is asked for is checked. */
export function buildGguf(file: BuiltFile): Uint8Array {
  const { metadata = [], tensors = [], alignment = 32 } = file;
  const table: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  for (const tensor of tensors) {
    const bytes = tensor.data ?? new Uint8Array(sizeOf(tensor));
    const padding = (alignment - (bytes.length % alignment)) % alignment;
    table.push(
      text(tensor.name),
      u32(tensor.shape.length),
      ...tensor.shape.map((length) => u64(length)),
      u32(typeof tensor.type === "number" ? tensor.type : (findFormat(tensor.type)?.id ?? 0)),
      u64(tensor.offset ?? offset),
    );
    data.push(Buffer.from(bytes), Buffer.alloc(padding));
    offset += bytes.length + padding;
  }
  const header = Buffer.concat([
    Buffer.from(file.magic ?? "GGUF", "latin1"),
    u32(file.version ?? 3),
    u64(file.tensorCount ?? tensors.length),
    u64(file.entryCount ?? metadata.length),
    ...metadata.map((entry) => Buffer.concat([text(entry.key), typed(entry)])),
    ...table,
  ]);
  const padding = (alignment - (header.length % alignment)) % alignment;
  return Buffer.concat([header, Buffer.alloc(padding), ...data]);
}

function sizeOf({ type, shape }: BuiltTensor): number {
  const name = typeof type === "string" ? findFormat(type)?.name : undefined;
  const [perRow = 1, ...others] = shape.map(Number);
  if (name === undefined) return 0;
  return bytesOf(
    name,
    perRow,
    others.reduce((product, length) => product * length, 1),
  );
}

function typed({ type, elementType, value }: BuiltEntry): Buffer {
  const id = u32(typeIds[type] ?? Number(type));
  if (type !== "array") return Buffer.concat([id, scalar(type, value)]);
  const elements = value as readonly unknown[];
  const element = elementType ?? "u8";
  return Buffer.concat([
    id,
    u32(typeIds[element] ?? Number(element)),
    u64(elements.length),
    ...elements.map((one) => scalar(element, one)),
  ]);
}

function scalar(type: string, value: unknown): Buffer {
  if (type === "string") return text(String(value));
  const view = Buffer.alloc(8);
  const number = Number(value);
  switch (type) {
    case "u8":
    case "bool":
      view.writeUInt8(number);
      return view.subarray(0, 1);
    case "i8":
      view.writeInt8(number);
      return view.subarray(0, 1);
    case "u16":
      view.writeUInt16LE(number);
      return view.subarray(0, 2);
    case "i16":
      view.writeInt16LE(number);
      return view.subarray(0, 2);
    case "i32":
      view.writeInt32LE(number);
      return view.subarray(0, 4);
    case "f32":
      view.writeFloatLE(number);
      return view.subarray(0, 4);
    case "u64":
      return u64(value as bigint);
    case "i64":
      view.writeBigInt64LE(BigInt(value as bigint));
      return view;
    case "f64":
      view.writeDoubleLE(number);
      return view;
    default:
      return u32(number);
  }
}

function u32(value: number): Buffer {
  const view = Buffer.alloc(4);
  view.writeUInt32LE(value);
  return view;
}

function u64(value: number | bigint): Buffer {
  const view = Buffer.alloc(8);
  view.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return view;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([u64(bytes.length), bytes]);
}
