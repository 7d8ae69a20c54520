import { readFileSync } from "node:fs";
import type { MetadataEntry } from "../../src/sources/model-info.js";
import type { TokenizerSource } from "../../src/tokenizer/tokenizer.js";
import { sharedData } from "./shared-data.js";

/** Texts with the ids that llama.cpp gives them, without BOS and with special text as plain text. */
export function vectorsOf(name: string): readonly { text: string; ids: readonly number[] }[] {
  const path = sharedData(`vocab/ggml-vocab-${name}.gguf`);
  const texts = readFileSync(`${path}.inp`, "utf8").split("\n__ggml_vocab_test__\n");
  const lines = readFileSync(`${path}.out`, "utf8").split("\n");
  return texts.map((text, i) => ({ text, ids: (lines[i] ?? "").match(/\d+/g)?.map(Number) ?? [] }));
}

/** Metadata of a tokenizer; the keys are without `tokenizer.ggml.`. */
export function tokenizerMetadata(
  values: Readonly<Record<string, MetadataEntry["value"] | undefined>>,
): TokenizerSource {
  const metadata = Object.entries(values).flatMap(([key, value]): MetadataEntry[] =>
    value === undefined ? [] : [{ key: `tokenizer.ggml.${key}`, type: "array", value }],
  );
  return { path: "test.gguf", metadata };
}

/** GPT-2's alphabet of bytes, made in another way than the tokenizer's. */
export const byteLetters: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const isHidden = byte <= 0x20 || (byte >= 0x7f && byte <= 0xa0) || byte === 0xad;
  if (!isHidden) return String.fromCharCode(byte);
  const before = byte <= 0x20 ? byte : byte <= 0xa0 ? byte - 0x7f + 0x21 : 0x43;
  return String.fromCharCode(0x100 + before);
});

/** A byte-level vocabulary: all bytes, then the merges' results, then `extra`. */
export function byteVocabulary(
  merges: readonly string[],
  extra: readonly { text: string; type: number }[] = [],
  values: Readonly<Record<string, MetadataEntry["value"] | undefined>> = {},
): TokenizerSource {
  const plain = [...byteLetters, ...merges.map((merge) => merge.replace(" ", ""))];
  return tokenizerMetadata({
    model: "gpt2",
    pre: "gpt-2",
    tokens: [...plain, ...extra.map(({ text }) => text)],
    token_type: [...plain.map(() => 1), ...extra.map(({ type }) => type)],
    merges: [...merges],
    ...values,
  });
}

/** A SentencePiece-style vocabulary: `<unk>`, `<s>`, `</s>`, all bytes, then `pieces` with falling scores. */
export function pieceVocabulary(
  pieces: readonly string[],
  values: Readonly<Record<string, MetadataEntry["value"] | undefined>> = {},
): TokenizerSource {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  return tokenizerMetadata({
    model: "llama",
    tokens: ["<unk>", "<s>", "</s>", ...bytes, ...pieces],
    token_type: [2, 3, 3, ...bytes.map(() => 6), ...pieces.map(() => 1)],
    scores: [0, 0, 0, ...bytes.map(() => 0), ...pieces.map((_, i) => -i)],
    ...values,
  });
}

/**
 * Llama 3's vocabulary from its list of tokens in the order in which training made them. The merge that makes a token is
 * what its bytes come to with the earlier merges.
 */
export function tiktokenVocabulary(path: string): TokenizerSource {
  const tokens = readFileSync(path, "latin1")
    .trimEnd()
    .split("\n")
    .map((line) => Buffer.from(line.split(" ")[0] ?? "", "base64").toString("latin1"));
  const ranks = new Map(tokens.map((token, rank) => [token, rank]));
  const spell = (text: string): string =>
    Array.from(text, (letter) => byteLetters[letter.charCodeAt(0)] ?? "").join("");
  const merges = tokens.flatMap((token, rank) => {
    if (token.length === 1) return [];
    let parts = Array.from(token);
    while (parts.length > 2) {
      const joins = parts.slice(1).map((part, i) => ranks.get((parts[i] ?? "") + part) ?? Infinity);
      const best = Math.min(...joins);
      if (best >= rank) return [];
      const at = joins.indexOf(best);
      parts = [...parts.slice(0, at), parts.slice(at, at + 2).join(""), ...parts.slice(at + 2)];
    }
    return [parts.map(spell).join(" ")];
  });
  const texts = tokens.map(spell);
  return tokenizerMetadata({ model: "gpt2", pre: "llama-bpe", tokens: texts, merges });
}
