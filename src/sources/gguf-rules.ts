import type { Cursor } from "./byte-source.js";
import type { MetadataEntry } from "./model-info.js";

const defaultAlignment = 32;
const minAlignment = 8;
const maxAlignment = 1 << 20;

/** llama.cpp's own limits: arrays of that many layers and experts are allocated from these numbers. */
const limits: readonly (readonly [suffix: string, most: number])[] = [
  [".block_count", 512],
  [".expert_count", 1024],
];

/** Arrays with a value per token. */
const perToken = ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"];

/**
 * What metadata has to obey beyond being well-formed.
 *
 * @returns the alignment of the tensors, in bytes.
 * @throws NibbleError ERR_FORMAT
 */
export function checkMetadata(cursor: Cursor, metadata: readonly MetadataEntry[]): number {
  const byKey = new Map(metadata.map((entry) => [entry.key, entry]));
  for (const { key, value } of metadata) {
    const limit = limits.find(([suffix]) => key.endsWith(suffix));
    if (limit !== undefined && typeof value === "number" && value > limit[1]) {
      throw cursor.damaged(`metadata ${key}`, `is ${value}, more than ${limit[1]}`);
    }
  }
  const tokens = byKey.get("tokenizer.ggml.tokens")?.value;
  for (const key of perToken) {
    const value = byKey.get(key)?.value;
    if (Array.isArray(tokens) && Array.isArray(value) && value.length !== tokens.length) {
      throw cursor.damaged(
        `metadata ${key}`,
        `has ${value.length} values for ${tokens.length} tokens`,
      );
    }
  }
  return alignmentOf(cursor, byKey.get("general.alignment"));
}

function alignmentOf(cursor: Cursor, entry: MetadataEntry | undefined): number {
  if (entry === undefined) return defaultAlignment;
  const { type, value } = entry;
  const holds =
    type === "u32" &&
    typeof value === "number" &&
    value >= minAlignment &&
    value <= maxAlignment &&
    (value & (value - 1)) === 0;
  if (!holds) {
    const problem = `is ${String(value)} (${type}), not a u32 power of two from ${minAlignment} to ${maxAlignment}`;
    throw cursor.damaged("metadata general.alignment", problem);
  }
  return value;
}
