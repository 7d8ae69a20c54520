import type { BpeModel } from "./bpe-words.js";
import { looksSpecial, type AddedToken } from "./hf-added-tokens.js";
import { specialText } from "./hf-special-tokens.js";
import type { TokenizerFiles } from "./hf-tokenizer-files.js";
import { padding, tokenType, type HfVocabulary } from "./hf-vocabulary.js";
import { isObject, type JsonFile } from "./json-file.js";

/**
 * A byte-level vocabulary ("gpt2") with the tokens that were added to it.
 *
 * @param pre llama.cpp's name of the pre-tokenizer.
 */
export function byteLevelVocabulary(
  files: TokenizerFiles,
  { ids, merges }: BpeModel,
  added: readonly AddedToken[],
  rows: number,
  pre: string,
): HfVocabulary {
  const tokens = Array.from({ length: rows }, (_, id) => padding(id));
  for (const [text, id] of ids) tokens[id] = { text, type: tokenType.normal };
  for (const { content, special, id } of [...named(files, ids), ...added]) {
    const isControl = special || looksSpecial(content);
    tokens[id] = isControl
      ? { text: content, type: tokenType.control }
      : { text: content.replaceAll("\u2581", " "), type: tokenType.userDefined };
  }
  return { model: "gpt2", pre, tokens, merges: merges.map(byteLevelMerge) };
}

/** Tokens that tokenizer_config.json gives a role: transformers takes them for special ones. */
function named(files: TokenizerFiles, ids: ReadonlyMap<string, number>): readonly AddedToken[] {
  const names = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"] as const;
  const more = files.tokenizerConfig?.object["additional_special_tokens"];
  const texts = [
    ...names.map((name) => specialText(files.tokenizerConfig, name)),
    ...(Array.isArray(more) ? more : []).map((one: unknown) =>
      isObject(one) ? one["content"] : one,
    ),
  ];
  return texts.flatMap((content) => {
    const id = typeof content === "string" ? ids.get(content) : undefined;
    if (typeof content !== "string" || id === undefined) return [];
    return [{ id, content, special: true, normalized: false }];
  });
}

/** GGUF holds a merge as one text, so that a space within a half has to stand as the byte alphabet's own sign. */
function byteLevelMerge([left, right]: BpeModel["merges"][number]): string {
  return `${left.replaceAll(" ", "\u0120")} ${right.replaceAll(" ", "\u0120")}`;
}

/**
 * Ids by text, of the model's vocabulary and of what was added to it.
 *
 * @throws NibbleError ERR_FORMAT where an id is none of the embedding's `rows`, or two tokens have the same.
 */
export function checkedIds(
  file: Pick<JsonFile, "damaged">,
  vocabulary: readonly (readonly [string, unknown])[],
  added: readonly AddedToken[],
  rows: number,
): Map<string, number> {
  const ids = new Map<string, number>();
  const taken = new Map<number, string>();
  const add = (token: string, id: unknown): void => {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= rows) {
      const problem = `has id ${String(id)}, and the model has ${rows} rows for tokens`;
      throw file.damaged(`token ${JSON.stringify(token)}`, problem);
    }
    const other = taken.get(id);
    if (other !== undefined && other !== token) {
      const both = `${JSON.stringify(other)} and ${JSON.stringify(token)}`;
      throw file.damaged("vocab", `${both} have the same id ${id}`);
    }
    taken.set(id, token);
    ids.set(token, id);
  };
  for (const [token, id] of vocabulary) add(token, id);
  for (const { content, id } of added) add(content, id);
  return ids;
}

/** Ids of BOS and EOS, by their texts. */
export function ends(
  { tokenizerConfig }: TokenizerFiles,
  ids: ReadonlyMap<string, number>,
): { bos: number | undefined; eos: number | undefined } {
  const [bos, eos] = (["bos", "eos"] as const).map((name) =>
    ids.get(specialText(tokenizerConfig, name) ?? ""),
  );
  return { bos, eos };
}
