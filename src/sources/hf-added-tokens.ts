import { isObject, type JsonFile } from "./json-file.js";

/** A token that was added to a vocabulary: it is found in a text before anything else. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** It is looked for in the normalized text. */
  readonly normalized: boolean;
}

/** Tokens that models mark as plain though they control, by upstream's list. */
const controlTexts: ReadonlySet<string> = new Set(["<pad>", "<mask>", "<2mass>", "[@BOS@]"]);
const controlForms = [/^<\|[^]*\|>$/, /^<\uff5c[^]*\uff5c>$/, /^<unused[^]*>$/];

/** Whether a token's text is that of a control token, whatever it is marked as. */
export function looksSpecial(text: string): boolean {
  return controlTexts.has(text) || controlForms.some((form) => form.test(text));
}

/** `added_tokens` of tokenizer.json. */
export function addedTokens(tokenizer: JsonFile | undefined): readonly AddedToken[] {
  return (tokenizer?.list("added_tokens") ?? []).map((entry) =>
    added(tokenizer as JsonFile, "added_tokens", entry, isObject(entry) ? entry["id"] : undefined),
  );
}

/** `added_tokens_decoder` of tokenizer_config.json: an object by id. */
export function addedTokensDecoder(config: JsonFile | undefined): readonly AddedToken[] {
  const entries = Object.entries(config?.child("added_tokens_decoder")?.object ?? {});
  return entries.map(([id, entry]) =>
    added(
      config as JsonFile,
      "added_tokens_decoder",
      entry,
      /^\d{1,9}$/.test(id) ? Number(id) : id,
    ),
  );
}

/** added_tokens.json: ids by text. */
export function addedTokensFile(file: JsonFile | undefined): readonly AddedToken[] {
  return Object.entries(file?.object ?? {}).map(([content, id]) =>
    added(file as JsonFile, "added_tokens", { content }, id),
  );
}

function added(file: JsonFile, field: string, entry: unknown, id: unknown): AddedToken {
  if (!isObject(entry) || typeof entry["content"] !== "string") {
    throw file.damaged(field, "an entry has no content");
  }
  const { content, special, normalized } = entry;
  if (typeof id !== "number" || !Number.isInteger(id) || id < 0) {
    throw file.damaged(field, `${JSON.stringify(content)} has id ${String(id)}`);
  }
  return { id, content, special: special === true, normalized: normalized === true };
}
