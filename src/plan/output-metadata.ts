import type { MetadataEntry } from "../sources/model-info.js";
import { splitKeys } from "../sources/split-gguf.js";

/**
 * The metadata of the output: the source's entries in their order, then what is set. What is set again stands where it was
 * set last, as in a file of llama-quantize.
 *
 * @param fileType `general.file_type`; null keeps the source's.
 * @param set What is set after the type, in this order.
 */
export function outputMetadata(
  entries: readonly MetadataEntry[],
  fileType: number | null,
  set: readonly MetadataEntry[],
): readonly MetadataEntry[] {
  // A split model becomes one file, or gets new keys of its parts. What the source was quantized with is not what this
  // file is.
  const stays = ({ key }: MetadataEntry) =>
    !splitKeys.has(key) && !key.startsWith("quantize.imatrix.");
  const result = new Map(entries.filter(stays).map((entry) => [entry.key, entry]));
  const put = (entry: MetadataEntry): void => {
    result.delete(entry.key);
    result.set(entry.key, entry);
  };
  put({ key: "general.quantization_version", type: "u32", value: 2 });
  if (fileType !== null) put({ key: "general.file_type", type: "u32", value: fileType });
  set.forEach(put);
  return [...result.values()];
}

/** Entries as they are read by what decides on the model: those of `overrides` in place of, or after, the others. */
export function overridden(
  entries: readonly MetadataEntry[],
  overrides: readonly MetadataEntry[],
): readonly MetadataEntry[] {
  const keys = new Set(overrides.map(({ key }) => key));
  return [...entries.filter(({ key }) => !keys.has(key)), ...overrides];
}
