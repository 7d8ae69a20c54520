import { addedTokens } from "./hf-added-tokens.js";
import { flatten } from "./hf-pipeline.js";
import type { TokenizerFiles } from "./hf-tokenizer-files.js";
import { entry, type Token } from "./hf-vocabulary.js";
import { isObject, type JsonFile, type JsonObject } from "./json-file.js";
import type { MetadataEntry } from "./model-info.js";

/** Hugging Face's short names, as in `bos_token`, and GGUF's keys of those that it has. */
const keys = {
  bos: "bos_token_id",
  eos: "eos_token_id",
  unk: "unknown_token_id",
  // The spelling is the format's.
  sep: "seperator_token_id",
  pad: "padding_token_id",
  cls: undefined,
  mask: "mask_token_id",
  eot: "eot_token_id",
  eom: "eom_token_id",
} as const;

export type SpecialName = keyof typeof keys;

const always: readonly SpecialName[] = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];

/** Special tokens, by name. */
interface Specials {
  readonly texts: Map<SpecialName, string>;
  readonly adds: Map<SpecialName, boolean>;
  /** Names of which an id is looked for; a post-processor may add to them. */
  readonly names: SpecialName[];
}

/** The text of a special token: tokenizer_config.json has it plain, or as an object. */
export function specialText(config: JsonFile | undefined, name: SpecialName): string | undefined {
  const value = config?.object[`${name}_token`];
  const text = isObject(value) ? value["content"] : value;
  return typeof text === "string" && text !== "" ? text : undefined;
}

/**
 * Ids of special tokens, and which of them go around a text. As upstream: ids by tokenizer_config.json's texts among
 * tokenizer.json's added tokens, then by config.json; what goes around by the post-processor's template, then by
 * tokenizer_config.json. Where that leaves BOS or EOS open, lists of ids (the first one counts), generation_config.json and
 * the vocabulary are asked too.
 */
export function specialTokens(
  files: TokenizerFiles,
  tokens: readonly Token[],
): readonly MetadataEntry[] {
  const { tokenizer, tokenizerConfig } = files;
  const specials = textsOf(files);
  if (tokenizer !== undefined) readProcessors(tokenizer, tokenizerConfig !== undefined, specials);
  const ids = new Map<SpecialName, number>();
  const set = (name: SpecialName, id: unknown): void => {
    const isId = typeof id === "number" && Number.isInteger(id) && id >= 0 && id < tokens.length;
    if (isId && !ids.has(name)) ids.set(name, id);
  };
  const added = new Map(addedTokens(tokenizer).map(({ content, id }) => [content, id]));
  for (const name of specials.names) {
    const adds = tokenizerConfig?.object[`add_${name}_token`];
    if (typeof adds === "boolean") specials.adds.set(name, adds);
    const text = specials.texts.get(name);
    if (text !== undefined && tokenizerConfig !== undefined) set(name, added.get(text));
  }
  const { config } = files;
  const inner = config.object["text_config"];
  for (const name of specials.names) {
    set(
      name,
      config.object[`${name}_token_id`] ??
        (isObject(inner) ? inner[`${name}_token_id`] : undefined),
    );
  }
  for (const name of ["bos", "eos"] as const) {
    if (!ids.has(name)) set(name, otherwise(files, name, specials, tokens));
  }
  return [
    ...[...ids].flatMap(([name, id]) => {
      const key = keys[name];
      return key === undefined ? [] : [entry(key, "u32", id)];
    }),
    ...[...specials.adds].flatMap(([name, adds]) =>
      ["bos", "eos", "sep"].includes(name) ? [entry(`add_${name}_token`, "bool", adds)] : [],
    ),
  ];
}

function textsOf({ tokenizer, tokenizerConfig }: TokenizerFiles): Specials {
  const texts = new Map<SpecialName, string>();
  for (const name of Object.keys(keys) as SpecialName[]) {
    const text = specialText(tokenizerConfig, name);
    if (text !== undefined) texts.set(name, text);
  }
  const stand = (name: SpecialName, other: SpecialName): void => {
    const text = texts.get(other);
    if (!texts.has(name) && text !== undefined) texts.set(name, text);
  };
  if (tokenizer !== undefined) {
    stand("bos", "cls");
    stand("eos", "sep");
  }
  return { texts, adds: new Map(), names: [...always] };
}

function otherwise(
  { config, generationConfig }: TokenizerFiles,
  name: "bos" | "eos",
  { texts }: Specials,
  tokens: readonly Token[],
): number | undefined {
  const listed = [config, generationConfig].map((file) => {
    const value = file?.object[`${name}_token_id`];
    return Array.isArray(value) ? (value as unknown[])[0] : value;
  });
  const id = listed.find((one): one is number => typeof one === "number" && one >= 0);
  if (id !== undefined) {
    if (Number.isInteger(id) && id < tokens.length) return id;
    const problem = `is ${id}, and there are ${tokens.length} tokens`;
    throw config.damaged(`${name}_token_id`, problem);
  }
  const text = texts.get(name);
  const found = tokens.findIndex((token) => token.text === text);
  return found < 0 ? undefined : found;
}

/** What the post-processor puts around a text. */
function readProcessors(tokenizer: JsonFile, isConfigured: boolean, specials: Specials): void {
  for (const part of flatten(tokenizer.object["post_processor"])) {
    if (part["type"] === "RobertaProcessing") {
      for (const name of ["bos", "eos", "sep"] as const) specials.adds.set(name, true);
      for (const name of ["cls", "sep"] as const) {
        const [text] = Array.isArray(part[name]) ? (part[name] as unknown[]) : [];
        if (!specials.texts.has(name) && typeof text === "string") specials.texts.set(name, text);
      }
    } else if (part["type"] === "TemplateProcessing") {
      readTemplate(part, isConfigured, specials);
    }
  }
}

function readTemplate(part: JsonObject, isConfigured: boolean, specials: Specials): void {
  const { texts, adds } = specials;
  const single = pieces(part["single"]);
  if (single.length <= 1) {
    readPair(pieces(part["pair"]), undefined, undefined, specials);
    return;
  }
  const first = single[0]?.special;
  const last = single[single.length - 1]?.special;
  if (first !== undefined) {
    if (!isConfigured) texts.set("bos", first);
    else if (first !== texts.get("bos") && first !== texts.get("cls")) {
      for (const name of ["bos", "cls"] as const) if (!texts.has(name)) texts.set(name, first);
    }
    adds.set("bos", first === texts.get("bos") || first === texts.get("cls"));
  }
  if (last !== undefined) {
    if (isConfigured && last !== texts.get("eos")) keepOldEnd(specials);
    texts.set("eos", last);
    adds.set("eos", true);
  }
  readPair(pieces(part["pair"]), first, last, specials);
}

/** The configured EOS ends a turn where the template ends texts with another. */
function keepOldEnd({ texts, names }: Specials): void {
  const free = (["eot", "eom"] as const).find((name) => !names.includes(name));
  if (free === undefined) return;
  names.push(free);
  const end = texts.get("eos");
  if (end !== undefined) texts.set(free, end);
}

/** Whether a separator stands between the two texts of a pair: A [sep] [eos] B. */
function readPair(
  pair: readonly TemplatePiece[],
  first: string | undefined,
  last: string | undefined,
  { texts, adds }: Specials,
): void {
  const from = first !== undefined && pair[0]?.special === first ? 1 : 0;
  const to = last !== undefined && pair[pair.length - 1]?.special === last ? -1 : pair.length;
  const inner = pair.slice(from, to);
  const between = inner.slice(1, -1);
  const isPair = inner[0]?.sequence === "A" && inner[inner.length - 1]?.sequence === "B";
  if (!isPair || between.length === 0) return;
  const separates = (piece: TemplatePiece | undefined): boolean =>
    piece?.special !== undefined &&
    (piece.special === texts.get("sep") || piece.special === texts.get("eos"));
  const addsSep =
    (separates(between[0]) && last === undefined) ||
    (between.length === 2 && separates(between[1]));
  adds.set("sep", addsSep);
  const end = texts.get("eos");
  if (addsSep && !texts.has("sep") && end !== undefined) texts.set("sep", end);
}

interface TemplatePiece {
  readonly special?: string;
  readonly sequence?: string;
}

function pieces(template: unknown): readonly TemplatePiece[] {
  if (!Array.isArray(template)) return [];
  const idOf = (value: unknown): string | undefined =>
    isObject(value) && typeof value["id"] === "string" ? value["id"] : undefined;
  return template.filter(isObject).map((piece) => {
    const [special, sequence] = [idOf(piece["SpecialToken"]), idOf(piece["Sequence"])];
    return {
      ...(special !== undefined && { special }),
      ...(sequence !== undefined && { sequence }),
    };
  });
}
