import { NibbleError } from "../errors.js";
import type { BpeModel } from "./bpe-words.js";
import { addedTokens, addedTokensDecoder, type AddedToken } from "./hf-added-tokens.js";
import { byteLevelVocabulary, checkedIds, ends } from "./hf-byte-level.js";
import { isByteLevel, preTokenizerName } from "./hf-pre-tokenizer.js";
import { specialText } from "./hf-special-tokens.js";
import type { TokenizerFiles } from "./hf-tokenizer-files.js";
import { padding, tokenType, type HfVocabulary, type Token } from "./hf-vocabulary.js";
import type { JsonFile } from "./json-file.js";

type Merge = readonly [left: string, right: string];

/**
 * The vocabulary of a tokenizer.json with a BPE model: byte-level BPE becomes "gpt2" with its merges; BPE with byte
 * fallback becomes "llama" (SentencePiece's), whose scores are the negative ranks of the merges.
 *
 * @param rows of the embedding: a smaller vocabulary is filled up with unused tokens.
 * @throws NibbleError ERR_UNSUPPORTED for other kinds; ERR_FORMAT where ids or merges do not fit the vocabulary.
 */
export function bpeVocabulary(
  files: TokenizerFiles,
  tokenizer: JsonFile,
  rows: number,
  pre: string | undefined,
): HfVocabulary {
  const model = tokenizer.child("model");
  const vocab = model?.child("vocab");
  if (model === undefined || vocab === undefined) {
    throw tokenizer.damaged("model.vocab", "is missing");
  }
  const byteLevel = isByteLevel(tokenizer);
  const fallsBackToBytes = model.flag("byte_fallback") === true;
  if (!byteLevel && !fallsBackToBytes) {
    throw notConvertible(tokenizer.path, "BPE on characters, without byte fallback");
  }
  const added = [...addedTokens(tokenizer), ...addedTokensDecoder(files.tokenizerConfig)];
  const ids = checkedIds(tokenizer, Object.entries(vocab.object), added, rows);
  const merges = mergeList(model);
  if (!byteLevel) return sentencePieceLike(files, ids, added, merges, rows, pre);
  const unknown = ids.get(model.text("unk_token") ?? "");
  const ignoresMerges = model.flag("ignore_merges") === true;
  const bpe: BpeModel = { ids, merges, ignoresMerges, fallsBackToBytes, unknown };
  const nameless = { path: tokenizer.path, model: bpe, added, ...ends(files, ids) };
  const name = pre ?? preTokenizerName(tokenizer, nameless);
  return byteLevelVocabulary(files, bpe, added, rows, name);
}

function sentencePieceLike(
  files: TokenizerFiles,
  ids: ReadonlyMap<string, number>,
  added: readonly AddedToken[],
  merges: readonly Merge[],
  rows: number,
  pre: string | undefined,
): HfVocabulary {
  const tokens = Array.from({ length: rows }, (_, id) => padding(id));
  for (const [text, id] of ids) {
    const isByte = /^<0x[0-9A-F]{2}>$/.test(text);
    tokens[id] = { text, type: isByte ? tokenType.byte : tokenType.normal };
  }
  for (const { id, content, special } of added) {
    tokens[id] = { text: content, type: special ? tokenType.control : tokenType.userDefined };
  }
  const unknown = specialText(files.tokenizerConfig, "unk");
  const unknownId = unknown === undefined ? undefined : ids.get(unknown);
  if (unknown !== undefined && unknownId !== undefined) {
    tokens[unknownId] = { text: unknown, type: tokenType.unknown };
  }
  return { model: "llama", pre: pre ?? "default", tokens: scored(tokens, merges) };
}

/**
 * SentencePiece merges the pair whose result has the highest score. The negative rank of the first merge that makes a
 * token gives the same order as the list of merges. Tokens that no merge makes are never compared.
 */
function scored(tokens: readonly Token[], merges: readonly Merge[]): readonly Token[] {
  const rank = new Map<string, number>();
  for (const [index, [left, right]] of merges.entries()) {
    const made = left + right;
    if (!rank.has(made)) rank.set(made, index);
  }
  return tokens.map((token) => ({
    ...token,
    score: token.type === tokenType.normal ? -(rank.get(token.text) ?? merges.length) : 0,
  }));
}

/** Merges are `"a b"`, or pairs in files since late 2024. */
function mergeList(model: JsonFile): readonly Merge[] {
  return model.list("merges").map((merge, rank) => {
    const parts: unknown = typeof merge === "string" ? splitMerge(merge) : merge;
    if (Array.isArray(parts) && parts.length === 2) {
      const [left, right] = parts as unknown[];
      if (typeof left === "string" && typeof right === "string") return [left, right];
    }
    throw model.damaged("model.merges", `entry ${rank} is no pair of texts`);
  });
}

function splitMerge(merge: string): readonly string[] | undefined {
  const space = merge.indexOf(" ", 1);
  return space < 0 ? undefined : [merge.slice(0, space), merge.slice(space + 1)];
}

/** A tokenizer of a kind that GGUF's readers have no name for, or that Nibble does not know. */
export function notConvertible(path: string, kind: string): NibbleError {
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: the tokenizer is ${kind}, and Nibble converts byte-level BPE, BPE with byte fallback and Unigram; ` +
      "quantize a GGUF of the model instead",
    { what: "tokenizer", value: kind },
  );
}
