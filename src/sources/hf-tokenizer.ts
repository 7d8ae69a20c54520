import { NibbleError } from "../errors.js";
import { addedTokens, addedTokensDecoder, addedTokensFile } from "./hf-added-tokens.js";
import { bpeVocabulary, notConvertible } from "./hf-bpe-vocabulary.js";
import { chatTemplates } from "./hf-chat-template.js";
import { listedVocabulary, tiktokenVocabulary } from "./hf-listed-vocabulary.js";
import { flatten } from "./hf-pipeline.js";
import { checkedName } from "./hf-pre-tokenizer.js";
import { sentencePieceVocabulary } from "./hf-sentencepiece.js";
import { specialTokens } from "./hf-special-tokens.js";
import { tokenizerFamily, type TokenizerFamily } from "./hf-tokenizer-families.js";
import {
  readTokenizerFiles,
  type TokenizerFiles,
  type TokenizerPlace,
} from "./hf-tokenizer-files.js";
import { unigramVocabulary } from "./hf-unigram-vocabulary.js";
import { entry, vocabularyMetadata, type HfVocabulary } from "./hf-vocabulary.js";
import type { JsonFile } from "./json-file.js";
import type { MetadataEntry } from "./model-info.js";

export interface ReadTokenizerOptions extends TokenizerPlace {
  /** GGUF's name of the architecture: some families take their vocabulary from other files than the rest. */
  readonly architecture: string;
  /** Rows of the embedding, one for each token. */
  readonly rows: number;
  /** llama.cpp's name of the pre-tokenizer, in place of the recognised one. */
  readonly pre?: string | undefined;
}

/**
 * The metadata `tokenizer.*` of a Hugging Face directory: its vocabulary (from tokenizer.model, tokenizer.json, vocab.json
 * with merges.txt, or a tiktoken list), special tokens, and chat templates. Keys, types, values and order are those of
 * upstream's converter; docs/decisions.md says where they differ, and why.
 *
 * @throws NibbleError ERR_UNSUPPORTED where there is no tokenizer, or of a kind that cannot be converted; ERR_FORMAT for
 * damaged files; ERR_ARGUMENT where `pre` is no pre-tokenizer; ERR_IO.
 */
export async function readTokenizer(
  options: ReadTokenizerOptions,
): Promise<readonly MetadataEntry[]> {
  const family = tokenizerFamily(options.architecture);
  const files = await readTokenizerFiles(options, family.prefersSentencePiece === true);
  return tokenizerMetadata(files, family, options);
}

function tokenizerMetadata(
  files: TokenizerFiles,
  family: TokenizerFamily,
  { rows, pre, fileNames }: ReadTokenizerOptions,
): readonly MetadataEntry[] {
  const name = pre === undefined ? undefined : checkedName(pre);
  const vocabulary = chooseVocabulary(files, family, rows, name);
  if (vocabulary === undefined) throw noTokenizer(files.path, fileNames);
  const { tokens, isSentencePiece } = vocabulary;
  const prefix = family.readsPrefixSpace
    ? files.tokenizerConfig?.flag("add_prefix_space")
    : undefined;
  const suppressesSpace =
    vocabulary.model === "llama" &&
    (isSentencePiece
      ? family.hasNoPrefixSpace === true || files.sentencePiece?.addDummyPrefix === false
      : files.tokenizer !== undefined && !prependsSpace(files.tokenizer));
  const size = files.config.object["vocab_size"] ?? rows;
  const { endOfTurn } = family;
  const endsTurns = isSentencePiece && (endOfTurn?.rows ?? size) === size;
  return merged([
    ...(prefix === undefined ? [] : [entry("add_space_prefix", "bool", prefix)]),
    ...vocabularyMetadata(vocabulary),
    ...specialTokens(files, tokens),
    ...chatTemplates(files),
    ...(endOfTurn !== undefined && endsTurns && endOfTurn.id < rows
      ? [entry("eot_token_id", "u32", endOfTurn.id)]
      : []),
    ...(family.withoutBosAt === size ? [entry("add_bos_token", "bool", false)] : []),
    ...(suppressesSpace && prefix === undefined ? [entry("add_space_prefix", "bool", false)] : []),
  ]);
}

type Chosen = HfVocabulary & { readonly isSentencePiece: boolean };

function chooseVocabulary(
  files: TokenizerFiles,
  family: TokenizerFamily,
  rows: number,
  pre: string | undefined,
): Chosen | undefined {
  const { tokenizer, sentencePiece, vocabulary, merges, tiktoken, tokenizerConfig } = files;
  const { byteLevelClass } = family;
  const isByteLevel =
    byteLevelClass !== undefined && tokenizerConfig?.text("tokenizer_class") === byteLevelClass;
  if (sentencePiece !== undefined && !(isByteLevel && tokenizer !== undefined)) {
    const trustsFlags = family.trustsFlags === true;
    const additions = {
      file: addedTokensFile(files.addedTokens),
      decoder: addedTokensDecoder(tokenizerConfig),
      tokenizer: trustsFlags ? addedTokens(tokenizer) : [],
      trustsFlags,
    };
    const own = sentencePieceVocabulary(sentencePiece, additions, rows);
    return { ...own, ...(pre !== undefined && { pre }), isSentencePiece: true };
  }
  const others = { isSentencePiece: false };
  if (tokenizer !== undefined) return { ...jsonVocabulary(files, tokenizer, rows, pre), ...others };
  if (vocabulary !== undefined && merges !== undefined) {
    return { ...listedVocabulary(files, vocabulary, merges, rows, pre), ...others };
  }
  if (tiktoken !== undefined)
    return { ...tiktokenVocabulary(files, tiktoken, rows, pre), ...others };
  return undefined;
}

/** Older files name no type; then the form of the vocabulary tells. */
function jsonVocabulary(
  files: TokenizerFiles,
  tokenizer: JsonFile,
  rows: number,
  pre: string | undefined,
): HfVocabulary {
  const model = tokenizer.child("model");
  const isList = Array.isArray(model?.object["vocab"]);
  const guess = isList ? "Unigram" : model?.has("merges") === true ? "BPE" : "missing";
  const kind = model?.text("type") ?? guess;
  if (kind === "BPE") return bpeVocabulary(files, tokenizer, rows, pre);
  if (kind === "Unigram") return unigramVocabulary(files, tokenizer, rows, pre);
  throw notConvertible(tokenizer.path, kind);
}

/** Whether a space is put before the text: by the normalizer, or by a Metaspace pre-tokenizer. */
function prependsSpace(tokenizer: JsonFile): boolean {
  const steps = ["normalizer", "pre_tokenizer"].flatMap((key) => flatten(tokenizer.object[key]));
  return steps.some(
    (step) =>
      step["prepend"] === "\u2581" ||
      step["prepend_scheme"] === "first" ||
      step["prepend_scheme"] === "always" ||
      step["add_prefix_space"] === true,
  );
}

/** A key that comes again keeps its place and takes the later value. */
function merged(entries: readonly MetadataEntry[]): readonly MetadataEntry[] {
  return [...new Map(entries.map((one) => [one.key, one])).values()];
}

function noTokenizer(path: string, fileNames: readonly string[]): NibbleError {
  const forms = "tokenizer.json, tokenizer.model, vocab.json with merges.txt, or a .tiktoken list";
  const half = fileNames.includes("vocab.json") ? " (vocab.json needs merges.txt beside it)" : "";
  const own = fileNames.includes("tekken.json") ? " (tekken.json is Mistral's own form)" : "";
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: has no tokenizer.json nor another tokenizer that Nibble reads${half}${own}; download one from the model's page: ${forms}`,
    { what: "tokenizer", value: "missing" },
  );
}
