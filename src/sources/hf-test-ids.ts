import { wordEncoder, type BpeModel } from "./bpe-words.js";
import type { AddedToken } from "./hf-added-tokens.js";
import { flatten, type Pipeline } from "./hf-pipeline.js";
import { isObject, type JsonObject } from "./json-file.js";

/** The ids of a text as a tokenizer.json gives them, without what its post-processor adds. */
export function encodeText(
  text: string,
  pipeline: Pipeline,
  model: BpeModel,
  added: readonly AddedToken[],
): readonly number[] {
  const encode = wordEncoder(model);
  const raw = partition(added.filter(({ normalized }) => !normalized));
  const normalized = partition(added.filter((token) => token.normalized));
  return raw(text).flatMap((part, index) => {
    if (typeof part === "number") return [part];
    return normalized(pipeline.normalize(part)).flatMap((inner, innerIndex) => {
      if (typeof inner === "number") return [inner];
      return pipeline.cut(inner, index === 0 && innerIndex === 0).flatMap(encode);
    });
  });
}

/** Finds tokens in a text: the leftmost first, of several there the longest. */
function partition(tokens: readonly AddedToken[]): (text: string) => readonly (string | number)[] {
  const ids = new Map(tokens.map(({ content, id }) => [content, id]));
  const lengths = [...new Set([...ids.keys()].map((content) => content.length))].sort(
    (a, b) => b - a,
  );
  const starts = new Set([...ids.keys()].map((content) => content[0]));
  return (text) => {
    const parts: (string | number)[] = [];
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      if (!starts.has(text[at])) continue;
      const length = lengths.find((count) => count > 0 && ids.has(text.slice(at, at + count)));
      if (length === undefined) continue;
      if (at > start) parts.push(text.slice(start, at));
      parts.push(ids.get(text.slice(at, at + length)) as number);
      start = at + length;
      at = start - 1;
    }
    if (start < text.length) parts.push(text.slice(start));
    return parts;
  };
}

/**
 * What a tokenizer may make of a text's ids in the end: as its post-processor says, and with and without BOS and EOS,
 * since other files can overrule that.
 */
export function withEnds(
  ids: readonly number[],
  postProcessor: unknown,
  bos: number | undefined,
  eos: number | undefined,
): readonly (readonly number[])[] {
  const processed = flatten(postProcessor).reduce(process, ids);
  const before = bos === undefined ? [] : [bos];
  const behind = eos === undefined ? [] : [eos];
  return [processed, ids, [...before, ...ids], [...ids, ...behind], [...before, ...ids, ...behind]];
}

function process(ids: readonly number[], part: JsonObject): readonly number[] {
  const { type, single, special_tokens: specials, cls, sep } = part;
  if (type === "TemplateProcessing" && Array.isArray(single)) {
    return single.filter(isObject).flatMap((piece) => {
      if (isObject(piece["Sequence"])) return ids;
      const name = isObject(piece["SpecialToken"]) ? piece["SpecialToken"]["id"] : undefined;
      const token = isObject(specials) ? specials[String(name)] : undefined;
      return isObject(token) && Array.isArray(token["ids"]) ? (token["ids"] as number[]) : [];
    });
  }
  if (type === "RobertaProcessing" || type === "BertProcessing") {
    const idOf = (pair: unknown): number[] => (Array.isArray(pair) ? [Number(pair[1])] : []);
    return [...idOf(cls), ...ids, ...idOf(sep)];
  }
  return ids;
}
