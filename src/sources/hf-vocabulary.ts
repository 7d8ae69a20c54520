import type { MetadataEntry, Scalar, ScalarType } from "./model-info.js";

/** llama.cpp's numbers for what a token is. */
export const tokenType = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

export interface Token {
  readonly text: string;
  /** One of `tokenType`. */
  readonly type: number;
  /** Of SentencePiece-style vocabularies. */
  readonly score?: number;
}

/** A vocabulary as GGUF has it, whatever files it came from. */
export interface HfVocabulary {
  /** `tokenizer.ggml.model`: byte-level BPE, SentencePiece's BPE, or Unigram. */
  readonly model: "gpt2" | "llama" | "t5";
  readonly pre: string;
  /** By id, one for every row of the embedding. */
  readonly tokens: readonly Token[];
  /** "a b", of byte-level BPE. */
  readonly merges?: readonly string[];
  /** What else the files say, behind the tokens. */
  readonly others?: readonly MetadataEntry[];
}

/** Rows of the embedding without a token of their own. */
export function padding(id: number): Token {
  return { text: `[PAD${id}]`, type: tokenType.unused };
}

/** The vocabulary's metadata, in upstream's order. */
export function vocabularyMetadata(vocabulary: HfVocabulary): readonly MetadataEntry[] {
  const { model, pre, tokens, merges, others = [] } = vocabulary;
  return [
    entry("model", "string", model),
    entry("pre", "string", pre),
    list(
      "tokens",
      "string",
      tokens.map(({ text }) => text),
    ),
    ...(model === "gpt2"
      ? []
      : [
          list(
            "scores",
            "f32",
            tokens.map(({ score = 0 }) => score),
          ),
        ]),
    list(
      "token_type",
      "i32",
      tokens.map(({ type }) => type),
    ),
    ...(merges === undefined ? [] : [list("merges", "string", merges)]),
    ...others,
  ];
}

/** A value under `tokenizer.ggml.`. */
export function entry(key: string, type: ScalarType, value: Scalar): MetadataEntry {
  return { key: `tokenizer.ggml.${key}`, type, value };
}

/** An array under `tokenizer.ggml.`. */
export function list(
  key: string,
  elementType: ScalarType,
  value: readonly Scalar[],
): MetadataEntry {
  return { key: `tokenizer.ggml.${key}`, type: "array", elementType, value };
}
