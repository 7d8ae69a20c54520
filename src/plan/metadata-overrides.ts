import { argumentError, NibbleError } from "../errors.js";
import { checkEntries } from "../sources/gguf-writer.js";
import { parseEntry } from "../sources/metadata-text.js";
import type { MetadataEntry, ScalarType } from "../sources/model-info.js";
import { splitKeys } from "../sources/split-gguf.js";

/** llama-quantize's names of the types, and what it stores: integers as u32, which is what its loader reads. */
const typeNames: Readonly<Record<string, ScalarType>> = {
  int: "u32",
  float: "f32",
  bool: "bool",
  str: "string",
};

/**
 * `KEY=TYPE:VALUE` of `--override-kv`, with llama-quantize's types int, float, bool and str. Of a negative integer, which
 * llama-quantize stores without its sign, nothing is made.
 *
 * @throws NibbleError ERR_ARGUMENT for anything else, and for a value that the type cannot hold.
 */
export function parseKvOverride(text: string): MetadataEntry {
  return parseEntry("--override-kv", text, typeNames);
}

/** What the tensors of the output decide, and what else can set it. */
const decidedKeys = new Map([
  ["general.alignment", "it says where the tensors lie, and they stay where the source has them"],
  ...[...splitKeys].map((key) => [key, "it follows from the files (see --keep-split)"] as const),
]);

/** A model of `layers` layers with another block count loads nowhere; one without layers may count others. */
export function checkBlockCount(
  entries: readonly MetadataEntry[],
  architecture: string,
  layers: number,
): void {
  const key = `${architecture}.block_count`;
  const count = entries.find((entry) => entry.key === key)?.value;
  if (count === undefined || layers === 0 || Number(count) === layers) return;
  const expected = `${layers}, as many layers as the model has (--prune-layers leaves layers out)`;
  throw argumentError(`--override-kv ${key}`, expected, count);
}

/**
 * Checks metadata that the user wants in place of the source's.
 *
 * @throws NibbleError ERR_ARGUMENT for a key that stands there twice or that the tensors decide, and for a value that is
 * not of its type.
 */
export function checkOverrides(entries: readonly MetadataEntry[]): void {
  const seen = new Set<string>();
  for (const { key } of entries) {
    const why = decidedKeys.get(key);
    if (why !== undefined) {
      const expected = "a key that the tensors do not decide";
      throw new NibbleError("ERR_ARGUMENT", `--override-kv: ${key} cannot be set: ${why}`, {
        option: "--override-kv",
        expected,
      });
    }
    if (seen.has(key)) throw argumentError("--override-kv", "every key once", key);
    seen.add(key);
  }
  checkEntries("--override-kv", entries);
}
