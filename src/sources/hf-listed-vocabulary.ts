import type { BpeModel } from "./bpe-words.js";
import { formatError } from "./byte-source.js";
import { addedTokensDecoder, addedTokensFile } from "./hf-added-tokens.js";
import { byteLevelVocabulary, checkedIds, ends } from "./hf-byte-level.js";
import { preTokenizerOfIds, unknownPreTokenizer } from "./hf-pre-tokenizer.js";
import { specialText } from "./hf-special-tokens.js";
import type { TokenizerFiles } from "./hf-tokenizer-files.js";
import type { HfVocabulary } from "./hf-vocabulary.js";
import type { JsonFile } from "./json-file.js";
import type { TiktokenVocabulary } from "./tiktoken-ranks.js";

/** The vocabulary of vocab.json and merges.txt, the older form of GPT-2's kind. */
export function listedVocabulary(
  files: TokenizerFiles,
  vocabulary: JsonFile,
  merges: string,
  rows: number,
  pre: string | undefined,
): HfVocabulary {
  const added = [
    ...addedTokensFile(files.addedTokens),
    ...addedTokensDecoder(files.tokenizerConfig),
  ];
  const ids = checkedIds(vocabulary, Object.entries(vocabulary.object), added, rows);
  // GPT-2's own files do not say which of its tokens is special.
  const end = { content: "<|endoftext|>", special: true, normalized: false };
  const endId = ids.get(end.content);
  const all = endId === undefined ? added : [{ ...end, id: endId }, ...added];
  const list = mergeLines(files.path, merges);
  const bpe: BpeModel = {
    ids,
    merges: list,
    ignoresMerges: false,
    fallsBackToBytes: false,
    unknown: undefined,
  };
  const nameless = { path: files.path, model: bpe, added: all, ...ends(files, ids) };
  const byClass = classNames[files.tokenizerConfig?.text("tokenizer_class") ?? ""] ?? "gpt-2";
  return byteLevelVocabulary(files, bpe, all, rows, pre ?? preTokenizerOfIds(nameless) ?? byClass);
}

/** Transformers' classes that read vocab.json and merges.txt but do not cut as GPT-2 does. */
const classNames: Readonly<Record<string, string>> = {
  Qwen2Tokenizer: "qwen2",
  Qwen2TokenizerFast: "qwen2",
};

/** The vocabulary of a tiktoken list, whose special tokens stand elsewhere. */
export function tiktokenVocabulary(
  files: TokenizerFiles,
  { path, ids: ranks, merges }: TiktokenVocabulary,
  rows: number,
  pre: string | undefined,
): HfVocabulary {
  const added = [
    ...addedTokensFile(files.addedTokens),
    ...addedTokensDecoder(files.tokenizerConfig),
  ];
  const known = tiktokenSpecials.find(({ count }) => count === ranks.size);
  const specials = known?.texts.map((content, i) => ({
    ...{ id: ranks.size + i, content, special: true, normalized: false },
  }));
  const all = [...(specials ?? []).filter(({ id }) => id < rows), ...added];
  const problem = (field: string, text: string): Error => formatError(path, field, text);
  const ids = checkedIds({ damaged: problem }, [...ranks], all, rows);
  const bpe: BpeModel = {
    ids,
    merges,
    ignoresMerges: true,
    fallsBackToBytes: false,
    unknown: undefined,
  };
  const bos = ids.get(specialText(files.tokenizerConfig, "bos") ?? known?.texts[0] ?? "");
  const name = pre ?? preTokenizerOfIds({ path, model: bpe, added: all, bos, eos: undefined });
  if (name === undefined) throw unknownPreTokenizer(path, "a tiktoken list does not say");
  return byteLevelVocabulary(files, bpe, all, rows, name);
}

const reserved = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `<|reserved_special_token_${from + i}|>`);

/** Special tokens that the models' own code puts behind a list of so many tokens. */
const tiktokenSpecials: readonly { count: number; texts: readonly string[] }[] = [
  {
    // Llama 3.1 to 3.3; in Llama 3 the tokens that are new then are reserved ones.
    count: 128000,
    texts: [
      "<|begin_of_text|>",
      "<|end_of_text|>",
      ...reserved(0, 2),
      "<|finetune_right_pad_id|>",
      ...reserved(2, 3),
      "<|start_header_id|>",
      "<|end_header_id|>",
      "<|eom_id|>",
      "<|eot_id|>",
      "<|python_tag|>",
      ...reserved(3, 248),
    ],
  },
  {
    // Qwen.
    count: 151643,
    texts: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].concat(
      Array.from({ length: 205 }, (_, i) => `<|extra_${i}|>`),
    ),
  },
];

/** merges.txt: a line with the version, then "a b" on each. */
function mergeLines(path: string, text: string): BpeModel["merges"] {
  const lines = text.split(/\r?\n/);
  const first = lines[0]?.startsWith("#") === true ? 1 : 0;
  return lines.flatMap((line, index) => {
    if (index < first || line.trim() === "") return [];
    const parts = line.trim().split(" ");
    const [left, right] = parts;
    if (parts.length === 2 && left !== undefined && right !== undefined) return [[left, right]];
    throw formatError(`${path}/merges.txt`, `line ${index + 1}`, "is no pair of texts");
  });
}
