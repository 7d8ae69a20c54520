import type { MetadataValues } from "./metadata-values.js";

/** What a token is; several may hold at once. */
export const attribute = {
  normal: 1,
  unknown: 2,
  control: 4,
  userDefined: 8,
  unused: 16,
  byte: 32,
  /** Takes the white space before it along. */
  stripsLeft: 64,
  /** Takes the white space behind it along. */
  stripsRight: 128,
} as const;

/** The part of a vocabulary that this file reads, and of which it changes the attributes. */
export interface TokenTable {
  readonly texts: readonly string[];
  readonly ids: ReadonlyMap<string, number>;
  readonly attributes: Uint8Array;
}

/** Tokens that end a text, by the texts that models give them. */
const endTexts = [
  ["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>"],
  ["<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<｜end▁of▁sentence｜>", "<end_of_utterance>", "</s>"],
  ["<|eom_id|>", "<eos>", "<turn|>", "<|tool_response>", "[e~["],
  ["<|return|>", "<|call|>", "<|flush|>", "<|calls|>"],
].flat();

/** Tokens that mark the parts of a file to be filled in; some end a text. */
const fillTokens = [
  {
    keys: ["prefix_token_id", "fim_pre_token_id"],
    texts: [
      ["<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>"],
      ["<|code_prefix|>", "<|prefix|>"],
    ].flat(),
  },
  {
    keys: ["suffix_token_id", "fim_suf_token_id"],
    texts: [
      ["<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>"],
      ["<|code_suffix|>", "<|suffix|>"],
    ].flat(),
  },
  {
    keys: ["middle_token_id", "fim_mid_token_id"],
    texts: [
      ["<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>"],
      ["<|code_middle|>", "<|middle|>"],
    ].flat(),
  },
  {
    keys: ["fim_pad_token_id"],
    texts: ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
    ends: true,
  },
  {
    keys: ["fim_rep_token_id"],
    texts: ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
    ends: true,
  },
  { keys: ["fim_sep_token_id"], texts: ["<|file_sep|>"], ends: true },
] as const;

/** Tokens of gpt-oss that are part of what it says. */
const shownTexts = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/** Where all of `with` end a text, `text` does not, and becomes an ordinary token of kind `as`. */
const exceptions = [
  { with: ["<|return|>", "<|call|>"], text: "<|end|>", as: attribute.userDefined },
  { with: ["<|calls|>", "<|flush|>"], text: "<|end|>", as: attribute.userDefined },
  { with: ["<|call|>", "<|flush|>"], text: "<|end|>", as: attribute.userDefined },
  { with: ["<|tool_response>"], text: "</s>", as: attribute.normal },
] as const;

/**
 * The tokens that end a text: those that the metadata name, and those whose text says so, since many files name only one.
 * Tokens recognised by their text become control tokens, as in llama.cpp.
 */
export function findEndTokens(
  table: TokenTable,
  values: MetadataValues,
  eos: number | undefined,
): Set<number> {
  const { texts, ids, attributes } = table;
  const mark = (id: number): void => {
    attributes[id] = (attributes[id] ?? 0) | attribute.control;
  };
  const ends = new Set<number>();
  const add = (id: number | undefined): void => {
    if (id !== undefined) ends.add(id);
  };
  for (const { keys, texts: names, ...token } of fillTokens) {
    const named = keys.map((key) => values.tokenId(key, texts.length)).find(isNumber);
    const found = named ?? names.map((name) => ids.get(name)).find(isNumber);
    if (named === undefined && found !== undefined) mark(found);
    if ("ends" in token) add(found);
  }
  for (const text of endTexts) {
    const id = ids.get(text);
    if (id === undefined) continue;
    mark(id);
    ends.add(id);
  }
  for (const text of shownTexts) {
    const id = ids.get(text);
    if (id !== undefined) attributes[id] = attribute.userDefined;
  }
  add(eos);
  for (const key of ["eot_token_id", "eom_token_id"]) add(values.tokenId(key, texts.length));
  for (const exception of exceptions) {
    const id = ids.get(exception.text);
    const holds = exception.with.every((text) => ends.has(ids.get(text) ?? -1));
    if (id === undefined || !holds || !ends.delete(id)) continue;
    attributes[id] = exception.as;
  }
  return ends;
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined;
}

/** Tokens that take neighbouring white space along, which no metadata tell: known by the names of models. */
const strippers = [
  {
    where: ["pre", "jina-v2-de", "jina-v2-es", "jina-v2-code"],
    left: ["<mask>"],
  },
  { where: ["architecture", "nomic-bert-moe", "jina-bert-v3"], left: ["<mask>"] },
  {
    where: ["name", "phi-3", "phi3"],
    rightOfAllBut: ["<unk>", "<s>", "<|endoftext|>"],
    right: ["</s>"],
  },
  { where: ["name", "modern-bert"], left: ["[MASK]"] },
] as const;

/** Marks the tokens that take white space along; `facts` tell which model this is. */
export function markStrippers(
  table: TokenTable,
  facts: Readonly<Record<"pre" | "architecture" | "name", string>>,
): void {
  const { ids, texts, attributes } = table;
  const found = strippers.find(({ where: [fact, ...parts] }) =>
    parts.some((part) => facts[fact].includes(part)),
  );
  if (found === undefined) return;
  const mark = (text: string, bit: number): void => {
    const id = ids.get(text);
    if (id !== undefined) attributes[id] = (attributes[id] ?? 0) | bit;
  };
  if ("left" in found) for (const text of found.left) mark(text, attribute.stripsLeft);
  if (!("right" in found)) return;
  const but: readonly string[] = found.rightOfAllBut;
  texts.forEach((text, id) => {
    const isMatched = ((attributes[id] ?? 0) & matchedInText) !== 0;
    if (isMatched && !but.includes(text)) mark(text, attribute.stripsRight);
  });
  for (const text of found.right) mark(text, attribute.stripsRight);
}

/** Tokens that are looked for in a text before anything else. */
export const matchedInText = attribute.control | attribute.userDefined | attribute.unknown;
