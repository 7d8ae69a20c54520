import { addedTokens } from "./hf-added-tokens.js";
import { flatten } from "./hf-pipeline.js";
import type { TokenizerFiles } from "./hf-tokenizer-files.js";
import { entry, list, padding, tokenType, type HfVocabulary, type Token } from "./hf-vocabulary.js";
import type { JsonFile } from "./json-file.js";
import type { MetadataEntry } from "./model-info.js";

const paddingScore = -10000;

/**
 * The vocabulary of a tokenizer.json with a Unigram model: llama.cpp's "t5", with the pieces' own scores and the compiled
 * rules of the normalizer.
 *
 * @throws NibbleError ERR_FORMAT where a piece has no text and score, or there are more than the embedding has rows.
 */
export function unigramVocabulary(
  files: TokenizerFiles,
  tokenizer: JsonFile,
  rows: number,
  pre: string | undefined,
): HfVocabulary {
  const model = tokenizer.child("model");
  const pieces = model?.object["vocab"];
  if (model === undefined || !Array.isArray(pieces) || pieces.length === 0) {
    throw tokenizer.damaged("model.vocab", "is no list of pieces");
  }
  if (pieces.length > rows) {
    const problem = `has ${pieces.length} pieces, and the model has ${rows} rows for tokens`;
    throw tokenizer.damaged("model.vocab", problem);
  }
  const tokens: Token[] = Array.from({ length: rows }, (_, id) => ({
    ...padding(id),
    score: paddingScore,
  }));
  pieces.forEach((piece, id) => {
    const [text, score] = Array.isArray(piece) ? (piece as unknown[]) : [];
    if (typeof text !== "string" || typeof score !== "number" || !Number.isFinite(score)) {
      throw tokenizer.damaged("model.vocab", `piece ${id} is no text with a score`);
    }
    const isByte = model.object["byte_fallback"] === true && /^<0x[0-9A-F]{2}>$/.test(text);
    tokens[id] = { text, score, type: isByte ? tokenType.byte : tokenType.normal };
  });
  for (const { id, content, special } of addedTokens(tokenizer)) {
    if (id >= rows) {
      const problem = `${JSON.stringify(content)} has id ${id}, and the model has ${rows} rows`;
      throw tokenizer.damaged("added_tokens", problem);
    }
    const type = special ? tokenType.control : tokenType.userDefined;
    tokens[id] = { text: content, type, score: tokens[id]?.score ?? 0 };
  }
  const unknown = model.object["unk_id"];
  const before = typeof unknown === "number" ? tokens[unknown] : undefined;
  if (before !== undefined) tokens[unknown as number] = { ...before, type: tokenType.unknown };
  return {
    model: "t5",
    pre: pre ?? "default",
    tokens,
    others: normalizerEntries(files, tokenizer),
  };
}

function normalizerEntries(files: TokenizerFiles, tokenizer: JsonFile): readonly MetadataEntry[] {
  const steps = ["normalizer", "pre_tokenizer"].flatMap((key) => flatten(tokenizer.object[key]));
  const metaspace = steps.find(({ type }) => type === "Metaspace");
  const scheme = metaspace?.["prepend_scheme"];
  const addsSpace =
    metaspace !== undefined && scheme !== "never" && metaspace["add_prefix_space"] !== false;
  const charsmap = steps.find(({ type }) => type === "Precompiled")?.["precompiled_charsmap"];
  const bytes = Buffer.from(typeof charsmap === "string" ? charsmap : "", "base64");
  return [
    entry("add_space_prefix", "bool", addsSpace),
    entry(
      "remove_extra_whitespaces",
      "bool",
      files.tokenizerConfig?.flag("clean_up_tokenization_spaces") ?? true,
    ),
    ...(bytes.length > 0 ? [list("precompiled_charsmap", "u8", Array.from(bytes))] : []),
  ];
}
