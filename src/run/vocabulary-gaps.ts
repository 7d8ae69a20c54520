import type { ModelInfo } from "../sources/model-info.js";

/**
 * The first character of `text` that a SentencePiece-style vocabulary can neither write as a token nor as bytes;
 * undefined where there is none, as for every other kind of vocabulary.
 */
export function uncoveredCharacter(info: ModelInfo, text: string): string | undefined {
  const value = (key: string) =>
    info.metadata.find((entry) => entry.key === `tokenizer.ggml.${key}`)?.value;
  const tokens = value("tokens");
  if (value("model") !== "llama" || !Array.isArray(tokens)) return undefined;
  const known = new Set(tokens as readonly string[]);
  const missing = new Set<number>();
  for (let byte = 0; byte < 256; byte += 1) {
    const name = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    if (!known.has(name)) missing.add(byte);
  }
  if (missing.size === 0) return undefined;
  for (const character of new Set(text)) {
    const written = character === " " ? "\u2581" : character;
    if (known.has(written)) continue;
    if ([...Buffer.from(character)].some((byte) => missing.has(byte))) return character;
  }
  return undefined;
}
