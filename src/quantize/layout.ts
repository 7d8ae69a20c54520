import { NibbleError } from "../errors.js";
import type { FormatName } from "../formats.js";
import type { MetadataEntry } from "../sources/model-info.js";
import { ggufHeader } from "../sources/gguf-writer.js";

/** A tensor to be written; `shape` is in GGUF order, the length of a row first. */
export interface LayoutTensor {
  readonly name: string;
  readonly type: FormatName;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** Where a tensor's bytes go. */
export interface PlacedTensor {
  readonly name: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** Every byte of a GGUF has its place in this, before the first is written. What is not header or tensor is zero. */
export interface Layout {
  /** The file's first bytes, up to `dataOffset`. */
  readonly header: Uint8Array;
  /** Where the tensors begin, in bytes from the start of the file. */
  readonly dataOffset: number;
  readonly tensors: readonly PlacedTensor[];
  /** Length of the file: the last tensor is padded too. */
  readonly totalBytes: number;
}

const defaultAlignment = 32;

/**
 * Lays out a GGUF: header, then the tensors in the order given, each at a multiple of `general.alignment` (32 without
 * it) from the start of the data.
 *
 * @throws NibbleError ERR_UNSUPPORTED where `general.alignment` is no power of two that a header can be padded to.
 */
export function layoutGguf(
  metadata: readonly MetadataEntry[],
  tensors: readonly LayoutTensor[],
): Layout {
  const alignment = alignmentOf(metadata);
  let end = 0;
  const placed = tensors.map((tensor) => {
    const dataOffset = end;
    end += padded(tensor.bytes, alignment);
    return { ...tensor, dataOffset };
  });
  const header = ggufHeader(metadata, placed, alignment);
  return {
    header,
    dataOffset: header.length,
    tensors: placed.map(({ name, dataOffset, bytes }) => ({
      name,
      offset: header.length + dataOffset,
      bytes,
    })),
    totalBytes: header.length + end,
  };
}

function padded(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function alignmentOf(metadata: readonly MetadataEntry[]): number {
  const what = "general.alignment";
  const value = metadata.find(({ key }) => key === what)?.value ?? defaultAlignment;
  if (
    typeof value === "number" &&
    Number.isInteger(Math.log2(value)) &&
    value >= 1 &&
    value <= 2 ** 20
  ) {
    return value;
  }
  const shown = String(value);
  throw new NibbleError("ERR_UNSUPPORTED", `${what}: ${shown} is no power of two up to 1 MiB`, {
    what,
    value: shown,
  });
}
