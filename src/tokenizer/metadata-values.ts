import { NibbleError } from "../errors.js";
import type { MetadataEntry, Scalar } from "../sources/model-info.js";

/** Typed reads of the keys `tokenizer.ggml.*`; a key that is missing gives undefined. */
export interface MetadataValues {
  text(key: string): string | undefined;
  flag(key: string): boolean | undefined;
  /** An index into `size` tokens; one that is out of range counts as missing, as in llama.cpp. */
  tokenId(key: string, size: number): number | undefined;
  texts(key: string): readonly string[] | undefined;
  /** At least `count` numbers. */
  numbers(key: string, count: number): readonly number[] | undefined;
}

/** @param path what errors name as the file. */
export function metadataValues(
  metadata: readonly MetadataEntry[],
  path: string,
  prefix = "tokenizer.ggml.",
): MetadataValues {
  const entries = new Map(metadata.map((entry) => [entry.key, entry.value]));
  const damaged = (key: string, problem: string): NibbleError =>
    new NibbleError("ERR_FORMAT", `${path}: metadata ${prefix}${key} ${problem}`, {
      path,
      field: `${prefix}${key}`,
    });
  const value = (key: string): Scalar | readonly Scalar[] | undefined => entries.get(prefix + key);
  const list = (key: string, type: "string" | "number"): readonly Scalar[] | undefined => {
    const found = value(key);
    if (found === undefined) return undefined;
    // An array has one type of element, so that the first stands for all.
    const fits = typeof found === "object" && (found.length === 0 || typeof found[0] === type);
    if (!fits) throw damaged(key, `is no array of ${type}s`);
    return found;
  };
  return {
    text(key) {
      const found = value(key);
      if (found === undefined || typeof found === "string") return found;
      throw damaged(key, "is no string");
    },
    flag(key) {
      const found = value(key);
      if (found === undefined || typeof found === "boolean") return found;
      throw damaged(key, "is no bool");
    },
    tokenId(key, size) {
      const id = Number(value(key) ?? -1);
      return Number.isInteger(id) && id >= 0 && id < size ? id : undefined;
    },
    texts: (key) => list(key, "string") as readonly string[] | undefined,
    numbers(key, count) {
      const found = list(key, "number") as readonly number[] | undefined;
      if (found === undefined || found.length >= count) return found;
      throw damaged(key, `has ${found.length} elements, and there are ${count} tokens`);
    },
  };
}
