import { NibbleError } from "../errors.js";
import { isByteLevel, preTokenizerName } from "./hf-pre-tokenizer.js";
import { isObject, type JsonFile } from "./json-file.js";
import type { MetadataEntry, Scalar, ScalarType } from "./model-info.js";

/** The files that say how a Hugging Face model cuts text. */
export interface TokenizerFiles {
  readonly tokenizer: JsonFile;
  readonly tokenizerConfig?: JsonFile | undefined;
  readonly generationConfig?: JsonFile | undefined;
  readonly config: JsonFile;
  /** Text of chat_template.jinja. */
  readonly chatTemplate?: string | undefined;
}

/** llama.cpp's numbers for what a token is. */
const tokenType = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

interface Token {
  readonly text: string;
  readonly type: number;
}

interface Merge {
  readonly left: string;
  readonly right: string;
}

/**
 * The metadata `tokenizer.*` of a tokenizer.json: byte-level BPE becomes "gpt2" with its merges; BPE with byte fallback
 * becomes "llama" (SentencePiece's), whose scores are the negative ranks of the merges.
 *
 * @param rows rows of the embedding: a smaller vocabulary is filled up with unused tokens.
 * @param pre llama.cpp's name of the pre-tokenizer, in place of the recognised one.
 * @throws NibbleError ERR_UNSUPPORTED for other kinds; ERR_FORMAT where ids or merges do not fit the vocabulary.
 */
export function tokenizerMetadata(
  files: TokenizerFiles,
  rows: number,
  pre?: string,
): readonly MetadataEntry[] {
  const { tokenizer } = files;
  const model = tokenizer.child("model");
  const kind = model?.text("type");
  if (model === undefined || kind !== "BPE") throw notConvertible(tokenizer, kind ?? "missing");
  const byteLevel = isByteLevel(tokenizer);
  if (!byteLevel && model.flag("byte_fallback") !== true) {
    throw notConvertible(tokenizer, "BPE on characters, without byte fallback");
  }
  const ids = vocabulary(model, tokenizer, rows);
  const tokens = tokenTable(files, ids, rows, byteLevel);
  const merges = mergeList(model);
  return [
    text("model", byteLevel ? "gpt2" : "llama"),
    text("pre", byteLevel ? (pre ?? preTokenizerName(tokenizer)) : (pre ?? "default")),
    array(
      "tokens",
      "string",
      tokens.map((token) => token.text),
    ),
    ...(byteLevel ? [] : [array("scores", "f32", scores(tokens, merges))]),
    array(
      "token_type",
      "i32",
      tokens.map((token) => token.type),
    ),
    ...(byteLevel ? [array("merges", "string", merges.map(byteLevelMerge))] : []),
    ...specialIds(files, ids, rows),
    ...switches(files, byteLevel),
    ...templates(files),
  ];
}

function text(key: string, value: string): MetadataEntry {
  return { key: `tokenizer.ggml.${key}`, type: "string", value };
}

function array(key: string, elementType: ScalarType, value: readonly Scalar[]): MetadataEntry {
  return { key: `tokenizer.ggml.${key}`, type: "array", elementType, value };
}

function notConvertible(tokenizer: JsonFile, kind: string): NibbleError {
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${tokenizer.path}: the tokenizer is ${kind}, and Nibble converts byte-level BPE and BPE with byte fallback; ` +
      "quantize a GGUF of the model instead",
    { what: "tokenizer", value: kind },
  );
}

/** Ids by text, of the model's vocabulary and of what was added to it. */
function vocabulary(model: JsonFile, tokenizer: JsonFile, rows: number): Map<string, number> {
  const ids = new Map<string, number>();
  const taken = new Map<number, string>();
  const add = (token: string, id: unknown): void => {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= rows) {
      const problem = `has id ${String(id)}, and the model has ${rows} rows for tokens`;
      throw tokenizer.damaged(`token ${JSON.stringify(token)}`, problem);
    }
    const other = taken.get(id);
    if (other !== undefined && other !== token) {
      const both = `${JSON.stringify(other)} and ${JSON.stringify(token)}`;
      throw tokenizer.damaged("vocab", `${both} have the same id ${id}`);
    }
    taken.set(id, token);
    ids.set(token, id);
  };
  const vocab = model.child("vocab");
  if (vocab === undefined) throw tokenizer.damaged("model.vocab", "is missing");
  for (const [token, id] of Object.entries(vocab.object)) add(token, id);
  for (const added of addedTokens(tokenizer)) add(added.content, added.id);
  return ids;
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

function addedTokens(tokenizer: JsonFile): readonly AddedToken[] {
  return tokenizer.list("added_tokens").map((entry) => {
    if (!isObject(entry) || typeof entry["content"] !== "string") {
      throw tokenizer.damaged("added_tokens", "an entry has no content");
    }
    const { id, content, special } = entry;
    return { id: Number(id), content, special: special === true };
  });
}

/** One token per row of the embedding; rows without one are unused. */
function tokenTable(
  files: TokenizerFiles,
  ids: ReadonlyMap<string, number>,
  rows: number,
  byteLevel: boolean,
): readonly Token[] {
  const unknown = specialText(files, "unk");
  const tokens: (Token | undefined)[] = Array.from({ length: rows });
  for (const [token, id] of ids) {
    const isByte = !byteLevel && /^<0x[0-9A-F]{2}>$/.test(token);
    tokens[id] = { text: token, type: isByte ? tokenType.byte : tokenType.normal };
  }
  for (const { content, special } of addedTokens(files.tokenizer)) {
    const id = ids.get(content) as number;
    tokens[id] = { text: content, type: special ? tokenType.control : tokenType.userDefined };
  }
  const unknownId = unknown === undefined ? undefined : ids.get(unknown);
  if (!byteLevel && unknownId !== undefined && unknown !== undefined) {
    tokens[unknownId] = { text: unknown, type: tokenType.unknown };
  }
  return tokens.map((token, id) => token ?? { text: `[PAD${id}]`, type: tokenType.unused });
}

/** Merges are `"a b"`, or pairs in files since late 2024. */
function mergeList(model: JsonFile): readonly Merge[] {
  return model.list("merges").map((entry, rank) => {
    const parts: unknown = typeof entry === "string" ? splitMerge(entry) : entry;
    if (Array.isArray(parts) && parts.length === 2) {
      const [left, right] = parts as unknown[];
      if (typeof left === "string" && typeof right === "string") return { left, right };
    }
    throw model.damaged("model.merges", `entry ${rank} is no pair of texts`);
  });
}

function splitMerge(entry: string): readonly string[] {
  const space = entry.indexOf(" ", 1);
  return [entry.slice(0, space), entry.slice(space + 1)];
}

/** GGUF holds a merge as one text, so that a space within a half has to stand as the byte alphabet's own sign. */
function byteLevelMerge({ left, right }: Merge): string {
  return `${left.replaceAll(" ", "\u0120")} ${right.replaceAll(" ", "\u0120")}`;
}

/**
 * SentencePiece merges the pair whose result has the highest score. The negative rank of the first merge that makes a
 * token gives the same order as the list of merges. Tokens that no merge makes are never compared.
 */
function scores(tokens: readonly Token[], merges: readonly Merge[]): readonly number[] {
  const rank = new Map<string, number>();
  for (const [index, { left, right }] of merges.entries()) {
    const made = left + right;
    if (!rank.has(made)) rank.set(made, index);
  }
  return tokens.map((token) => {
    if (token.type !== tokenType.normal) return 0;
    return -(rank.get(token.text) ?? merges.length);
  });
}

/** GGUF's key and the names that Hugging Face has for the token. */
const specials = [
  { key: "bos_token_id", short: "bos" },
  { key: "eos_token_id", short: "eos" },
  { key: "unknown_token_id", short: "unk" },
  { key: "padding_token_id", short: "pad" },
] as const;

type SpecialName = (typeof specials)[number]["short"];

/** Text of a special token: tokenizer_config.json has it plain, or as an object. */
function specialText(files: TokenizerFiles, short: SpecialName): string | undefined {
  const value = files.tokenizerConfig?.object[`${short}_token`];
  if (typeof value === "string") return value;
  if (isObject(value) && typeof value["content"] === "string") return value["content"];
  return undefined;
}

function specialIds(
  files: TokenizerFiles,
  ids: ReadonlyMap<string, number>,
  rows: number,
): readonly MetadataEntry[] {
  return specials.flatMap(({ key, short }) => {
    const named = specialText(files, short);
    const id = (named === undefined ? undefined : ids.get(named)) ?? configuredId(files, short);
    if (id === undefined) return [];
    if (!Number.isInteger(id) || id < 0 || id >= rows) {
      throw files.config.damaged(`${short}_token_id`, `is ${id}, and there are ${rows} tokens`);
    }
    return [{ key: `tokenizer.ggml.${key}`, type: "u32", value: id } satisfies MetadataEntry];
  });
}

/** Several ids of an end token are listed with the main one first. */
function configuredId(files: TokenizerFiles, short: SpecialName): number | undefined {
  for (const file of [files.config, files.generationConfig]) {
    const value = file?.object[`${short}_token_id`];
    const first: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof first === "number" && first >= 0) return first;
  }
  return undefined;
}

function switches(files: TokenizerFiles, byteLevel: boolean): readonly MetadataEntry[] {
  const flag = (key: string, value: boolean | undefined): readonly MetadataEntry[] =>
    value === undefined ? [] : [{ key: `tokenizer.ggml.${key}`, type: "bool", value }];
  const { tokenizer, tokenizerConfig } = files;
  return [
    ...flag("add_bos_token", tokenizerConfig?.flag("add_bos_token") ?? processorAddsBos(files)),
    ...flag("add_eos_token", tokenizerConfig?.flag("add_eos_token")),
    ...(byteLevel ? [] : flag("add_space_prefix", prependsSpace(tokenizer) ? undefined : false)),
  ];
}

/** Whether the post-processor's template for one text begins with the BOS token. */
function processorAddsBos(files: TokenizerFiles): boolean | undefined {
  const bos = specialText(files, "bos");
  const processor = files.tokenizer.object["post_processor"];
  if (bos === undefined || !isObject(processor)) return undefined;
  const steps = Array.isArray(processor["processors"]) ? processor["processors"] : [processor];
  const template = steps.filter(isObject).find(({ type }) => type === "TemplateProcessing");
  const single = template?.["single"];
  const first: unknown = Array.isArray(single) ? single[0] : undefined;
  if (!isObject(first)) return undefined;
  const special = first["SpecialToken"];
  return isObject(special) && special["id"] === bos;
}

/** Whether a space is put before the text: by the normalizer, or by a Metaspace pre-tokenizer. */
function prependsSpace(tokenizer: JsonFile): boolean {
  const shown = JSON.stringify([tokenizer.object["normalizer"], tokenizer.object["pre_tokenizer"]]);
  return /"prepend":"\u2581"|"prepend_scheme":"(first|always)"|"add_prefix_space":true/.test(shown);
}

/** A chat template is text that is carried over; it is never run. */
function templates(files: TokenizerFiles): readonly MetadataEntry[] {
  const entry = (key: string, value: string): MetadataEntry => ({
    key: `tokenizer.${key}`,
    type: "string",
    value,
  });
  const inConfig = files.tokenizerConfig?.object["chat_template"];
  if (files.chatTemplate !== undefined) return [entry("chat_template", files.chatTemplate)];
  if (typeof inConfig === "string") return [entry("chat_template", inConfig)];
  if (!Array.isArray(inConfig)) return [];
  const named = inConfig
    .filter(isObject)
    .flatMap(({ name, template }) =>
      typeof name === "string" && typeof template === "string" ? [{ name, template }] : [],
    );
  const others = named.filter(({ name }) => name !== "default");
  return [
    ...named
      .filter(({ name }) => name === "default")
      .map(({ template }) => entry("chat_template", template)),
    ...others.map(({ name, template }) => entry(`chat_template.${name}`, template)),
    ...(others.length > 0
      ? [
          {
            key: "tokenizer.chat_templates",
            type: "array",
            elementType: "string",
            value: others.map(({ name }) => name),
          } satisfies MetadataEntry,
        ]
      : []),
  ];
}
