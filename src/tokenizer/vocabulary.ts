import { NibbleError } from "../errors.js";
import type { ModelInfo } from "../sources/model-info.js";
import { metadataValues, type MetadataValues } from "./metadata-values.js";
import { findPreTokenizer, preTokenizers, type PreTokenizer } from "../bpe/pre-tokenizers.js";
import { attribute, findEndTokens, markStrippers, type TokenTable } from "./special-tokens.js";

/** What a tokenizer needs of a model: its description, or a part of it. */
export type TokenizerSource = Pick<ModelInfo, "path" | "metadata">;

/** "spm": SentencePiece-style, pieces with scores. "bpe": byte pair encoding, merges in order. */
export type TokenizerModel = "spm" | "bpe";

/** A model's tokens, as its metadata describe them. */
export interface Vocabulary extends TokenTable {
  readonly path: string;
  readonly model: TokenizerModel;
  readonly size: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
  readonly endOfText: ReadonlySet<number>;
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  /** A space goes before a text ("spm" only). */
  readonly addsSpace: boolean;
  /** A token's rank for "spm": the higher, the sooner. */
  readonly scores: readonly number[];
  /** "a b": a and b may be joined; the first, the soonest ("bpe" only). */
  readonly merges: readonly string[];
  readonly pre: PreTokenizer;
}

interface Kind {
  readonly model: TokenizerModel;
  readonly bos?: number;
  readonly eos?: number;
  readonly unknown?: number;
  readonly addsBos?: boolean;
  readonly pre?: string;
}

/** By `tokenizer.ggml.model`; the ids are what counts where the metadata name none. */
const kinds: Readonly<Record<string, Kind>> = {
  llama: { model: "spm", bos: 1, eos: 2, unknown: 0, addsBos: true },
  // Token 11 ends texts in Falcon's vocabulary, for which llama.cpp made the default.
  gpt2: { model: "bpe", bos: 11, eos: 11 },
  gemma4: { model: "bpe", pre: "gemma4" },
};

/** By `tokenizer.ggml.token_type`. */
const attributeOfType: readonly number[] = [
  0,
  attribute.normal,
  attribute.unknown,
  attribute.control,
  attribute.userDefined,
  attribute.unused,
  attribute.byte,
];

/**
 * Reads a vocabulary from metadata.
 *
 * @param pre instead of the pre-tokenizer that the metadata name.
 * @throws NibbleError ERR_FORMAT, ERR_UNSUPPORTED; ERR_ARGUMENT where `pre` is no pre-tokenizer.
 */
export function readVocabulary(source: TokenizerSource, pre?: string): Vocabulary {
  const { path, metadata } = source;
  const values = metadataValues(metadata, path);
  const name = values.text("model");
  if (name === undefined) throw missing(path, "model");
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined) throw unsupportedKind(path, name);
  const preTokenizer = choosePre(path, pre ?? kind.pre ?? values.text("pre"), pre !== undefined);
  const table = readTable(path, values);
  const size = table.texts.length;
  const general = metadataValues(metadata, path, "general.");
  const eosId = values.tokenId("eos_token_id", size) ?? defaultId(kind, kind.eos, table);
  const endOfText = findEndTokens(table, values, eosId);
  markStrippers(table, {
    pre: values.text("pre") ?? "",
    architecture: general.text("architecture") ?? "",
    name: (general.text("name") ?? "").toLowerCase(),
  });
  const isSpm = kind.model === "spm";
  const addsBos = values.flag("add_bos_token") ?? kind.addsBos ?? preTokenizer.addsBos === true;
  return {
    ...table,
    path,
    model: kind.model,
    size,
    bos: values.tokenId("bos_token_id", size) ?? defaultId(kind, kind.bos, table),
    eos: eosId,
    unknown: values.tokenId("unknown_token_id", size) ?? defaultId(kind, kind.unknown, table),
    endOfText,
    addsBos: addsBos || preTokenizer.addsBos === "always",
    addsEos: values.flag("add_eos_token") ?? false,
    addsSpace: isSpm && (values.flag("add_space_prefix") ?? true),
    scores: values.numbers("scores", size) ?? [],
    merges: isSpm ? [] : readMerges(path, values, preTokenizer),
    pre: preTokenizer,
  };
}

function readTable(path: string, values: MetadataValues): TokenTable {
  const tokens = values.texts("tokens");
  if (tokens === undefined || tokens.length === 0) throw missing(path, "tokens");
  const types = values.numbers("token_type", tokens.length);
  const texts = tokens.map((text, id) => (text === "" ? `[EMPTY_${id}]` : text));
  const attributes = Uint8Array.from(texts, (_, id) =>
    types === undefined ? attribute.normal : (attributeOfType[types[id] ?? 0] ?? 0),
  );
  return { texts, ids: new Map(texts.map((text, id) => [text, id])), attributes };
}

/** An id that nothing in the file names counts where it exists and, for byte-level vocabularies, is a control token. */
function defaultId(kind: Kind, id: number | undefined, table: TokenTable): number | undefined {
  if (id === undefined || id >= table.texts.length) return undefined;
  const isControl = ((table.attributes[id] ?? 0) & attribute.control) !== 0;
  return kind.model === "spm" || isControl ? id : undefined;
}

function readMerges(path: string, values: MetadataValues, pre: PreTokenizer): readonly string[] {
  const merges = values.texts("merges");
  if (merges === undefined) {
    // Its vocabulary is ranked by id, and comes without merges.
    if (pre.names.includes("kimi-k2")) return [];
    throw missing(path, "merges");
  }
  const broken = merges.findIndex((merge) => merge.indexOf(" ", 1) < 0);
  if (broken < 0) return merges;
  const shown = JSON.stringify(merges[broken]?.slice(0, 80));
  throw damaged(path, "merges", `number ${broken} is ${shown}, not two parts with a space between`);
}

function choosePre(path: string, name: string | undefined, isOption: boolean): PreTokenizer {
  const found = findPreTokenizer(name ?? "default");
  if (found !== undefined) return found;
  const known = preTokenizers.map(({ names }) => names[0]).join(", ");
  if (isOption) {
    const expected = `the name of a pre-tokenizer (${known} and their kin)`;
    const message = `pre: expected ${expected}, got ${JSON.stringify(name)}`;
    throw new NibbleError("ERR_ARGUMENT", message, { option: "pre", expected });
  }
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: the pre-tokenizer ${JSON.stringify(name)} is not known; ` +
      `choose the one that cuts like it with --pre NAME (${known}), or use --engine llama.cpp`,
    { what: "pre-tokenizer", value: name ?? "" },
  );
}

/** Other vocabularies, by `tokenizer.ggml.model`, in words. */
const otherKinds: Readonly<Record<string, string>> = {
  bert: "WordPiece",
  t5: "Unigram",
  rwkv: "RWKV",
  plamo2: "PLaMo-2",
  hybriddna: "DNA",
  whitespace: "white space",
  none: "no vocabulary",
  no_vocab: "no vocabulary",
};

function unsupportedKind(path: string, name: string): NibbleError {
  const words = Object.hasOwn(otherKinds, name) ? ` (${otherKinds[name] ?? ""})` : "";
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: the tokenizer ${JSON.stringify(name)}${words} is not supported, only ` +
      `${Object.keys(kinds).join(", ")}; use --engine llama.cpp`,
    { what: "tokenizer", value: name },
  );
}

function missing(path: string, key: string): NibbleError {
  return damaged(path, key, "is missing, and there is no tokenizer without it");
}

function damaged(path: string, key: string, problem: string): NibbleError {
  const field = `tokenizer.ggml.${key}`;
  return new NibbleError("ERR_FORMAT", `${path}: metadata ${field} ${problem}`, { path, field });
}
