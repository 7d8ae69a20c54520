import { createContext, Script } from "node:vm";
import { toByteLetters } from "../bpe/byte-alphabet.js";
import { cutWords } from "../bpe/cut-words.js";
import { findPreTokenizer } from "../bpe/pre-tokenizers.js";
import { isObject, type JsonObject } from "./json-file.js";
import { fromOniguruma } from "./oniguruma.js";

/** How a tokenizer.json turns a text into the words that its model then encodes one by one. */
export interface Pipeline {
  readonly normalize: (text: string) => string;
  /** @param isFirst whether the text starts what is encoded: some put a space there. */
  readonly cut: (text: string, isFirst: boolean) => readonly string[];
}

/** A step works on every word of the one before. */
type Step = (word: string, isFirst: boolean) => readonly string[];
/** A stretch of a word, and whether the step's pattern matched it. */
type Span = readonly [text: string, isMatch: boolean];
type Find = (word: string) => readonly Span[];

/** Milliseconds for one pattern, on all words together: a hostile pattern may take for ever. */
const patternLimit = 1000;
/** Real tokenizers have up to ten steps. */
const maxSteps = 32;
const spaceMark = "\u2581";

/**
 * Interprets `normalizer` and `pre_tokenizer` of a tokenizer.json.
 *
 * @returns undefined where a step is not known. `cut` throws where a pattern takes too long.
 */
export function readPipeline(tokenizer: JsonObject): Pipeline | undefined {
  const normalize = normalizer(tokenizer["normalizer"]);
  const preTokenizer = tokenizer["pre_tokenizer"];
  const cut = step(preTokenizer);
  if (normalize === undefined || cut === undefined) return undefined;

  return { normalize, cut };
}

/** The parts of a sequence, or the one part. */
export function flatten(part: unknown): readonly JsonObject[] {
  if (!isObject(part)) return [];
  const inner =
    part["pretokenizers"] ?? part["normalizers"] ?? part["decoders"] ?? part["processors"];
  return Array.isArray(inner) ? inner.filter(isObject) : [part];
}

type Normalize = (text: string) => string;

const normalizers: Readonly<Record<string, (part: JsonObject) => Normalize | undefined>> = {
  NFC: () => (text) => text.normalize("NFC"),
  NFD: () => (text) => text.normalize("NFD"),
  NFKC: () => (text) => text.normalize("NFKC"),
  NFKD: () => (text) => text.normalize("NFKD"),
  Lowercase: () => (text) => text.toLowerCase(),
  StripAccents: () => (text) => text.replace(/\p{M}/gu, ""),
  Strip: (part) => (text) => {
    const left = part["strip_left"] === false ? text : text.replace(/^\p{White_Space}+/u, "");
    return part["strip_right"] === false ? left : left.replace(/\p{White_Space}+$/u, "");
  },
  Prepend: (part) => (text) => (text === "" ? "" : `${String(part["prepend"])}${text}`),
  ByteLevel: () => toByteLetters,
  Replace(part) {
    const find = finder(part["pattern"]);
    const { content = "" } = part;
    if (find === undefined || typeof content !== "string") return undefined;
    return (text) =>
      find(text)
        .map(([piece, isMatch]) => (isMatch ? content : piece))
        .join("");
  },
};

function normalizer(part: unknown): Normalize | undefined {
  const parts = flatten(part).map((one) => lookUp(normalizers, one)?.(one));
  if (parts.length > maxSteps || parts.some((one) => one === undefined)) return undefined;
  return (text) => parts.reduce((result, one) => one?.(result) ?? result, text);
}

function lookUp<T>(table: Readonly<Record<string, T>>, { type }: JsonObject): T | undefined {
  return typeof type === "string" && Object.hasOwn(table, type) ? table[type] : undefined;
}

/** `\w+|[^\w\s]+` of the Rust crate `regex`. */
const wordsAndSigns =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

const gpt2Cuts = findPreTokenizer("gpt-2")?.cuts ?? [];

const steps: Readonly<Record<string, (part: JsonObject) => Step | undefined>> = {
  Split(part) {
    const find = finder(part["pattern"]);
    const behavior = behaviors[behaviorOf(part, "")];
    if (find === undefined || behavior === undefined) return undefined;
    const isInverted = part["invert"] === true;
    return (text) =>
      behavior(find(text).map(([piece, isMatch]): Span => [piece, isMatch !== isInverted]));
  },
  ByteLevel: (part) => (text) => {
    const prefixed = part["add_prefix_space"] === true && !text.startsWith(" ") ? ` ${text}` : text;
    const words = part["use_regex"] === false ? [prefixed] : cutWords(prefixed, gpt2Cuts);
    return words.map(toByteLetters);
  },
  Digits: (part) =>
    part["individual_digits"] === true
      ? split(/\p{N}/gu, "Isolated")
      : split(/\p{N}/gu, "Contiguous"),
  Punctuation: (part) => split(/[!-/:-@[-`{-~\p{P}]/gu, behaviorOf(part, "Isolated")),
  Whitespace: () => (text) => text.match(wordsAndSigns) ?? [],
  WhitespaceSplit: () => split(/\p{White_Space}/gu, "Removed"),
  CharDelimiterSplit(part) {
    const delimiter = String(part["delimiter"]);
    return (text) => text.split(delimiter).filter((word) => word !== "");
  },
  Metaspace(part) {
    const scheme =
      part["prepend_scheme"] ?? (part["add_prefix_space"] === false ? "never" : "always");
    const cut = split(new RegExp(spaceMark, "gu"), "MergedWithNext");
    return (text, isFirst) => {
      const marked = text.replaceAll(" ", spaceMark);
      const prepends = scheme === "always" || (scheme === "first" && isFirst);
      const whole = prepends && !marked.startsWith(spaceMark) ? spaceMark + marked : marked;
      return part["split"] === false ? [whole] : (cut?.(whole, isFirst) ?? [whole]);
    };
  },
};

function step(part: unknown): Step | undefined {
  const parts = flatten(part).map((one) => lookUp(steps, one)?.(one));
  if (parts.length > maxSteps || parts.some((one) => one === undefined)) return undefined;
  return (text, isFirst) => {
    let words: readonly string[] = text === "" ? [] : [text];
    for (const one of parts) {
      words = words
        .flatMap((word, index) => one?.(word, isFirst && index === 0) ?? [word])
        .filter((word) => word !== "");
    }
    return words;
  };
}

function split(regex: RegExp, behavior: string): Step | undefined {
  const apply = behaviors[behavior];
  if (apply === undefined) return undefined;
  return (word) =>
    apply(
      spansOf(
        word,
        Array.from(word.matchAll(regex), ({ 0: text, index }) => [index, index + text.length]),
      ),
    );
}

function behaviorOf({ behavior }: JsonObject, otherwise: string): string {
  return typeof behavior === "string" ? behavior : otherwise;
}

const behaviors: Readonly<Record<string, (spans: readonly Span[]) => readonly string[]>> = {
  Isolated: (spans) => spans.map(([text]) => text),
  Removed: (spans) => spans.flatMap(([text, isMatch]) => (isMatch ? [] : [text])),
  Contiguous: (spans) => joined(spans, (before, after) => before === after),
  MergedWithPrevious: (spans) => joined(spans, (before, after) => !before && after),
  MergedWithNext: (spans) => joined(spans, (before, after) => before && !after),
};

/** Joins neighbours where `joins` says so of them being matches. */
function joined(
  spans: readonly Span[],
  joins: (before: boolean, after: boolean) => boolean,
): readonly string[] {
  const words: string[] = [];
  spans.forEach(([text, isMatch], i) => {
    const before = spans[i - 1]?.[1];
    if (before !== undefined && joins(before, isMatch)) words.push((words.pop() ?? "") + text);
    else words.push(text);
  });
  return words;
}

/** What finds a tokenizer.json's pattern: a text or an expression. */
function finder(pattern: unknown): Find | undefined {
  if (!isObject(pattern)) return undefined;
  const { String: text, Regex: regex } = pattern;
  if (typeof text === "string" && text !== "") {
    return (word) => {
      const ends: [number, number][] = [];
      for (let at = word.indexOf(text); at >= 0; at = word.indexOf(text, at + text.length)) {
        ends.push([at, at + text.length]);
      }
      return spansOf(word, ends);
    };
  }
  if (typeof regex !== "string") return undefined;
  const source = fromOniguruma(regex);
  if (source === undefined) return undefined;
  return boundedFind(source);
}

/** The expression runs in a context of its own, since only there it can be stopped. */
function boundedFind(source: string): Find {
  const context = createContext({ regex: new RegExp(source, "gu"), word: "" });
  const code = new Script(
    "Array.from(word.matchAll(regex), (m) => [m.index, m.index + m[0].length])",
  );
  let left = patternLimit;
  return (word) => {
    context["word"] = word;
    const start = performance.now();
    try {
      const timeout = Math.max(1, Math.ceil(left));
      const found: unknown = code.runInContext(context, { timeout });
      return spansOf(word, found as readonly (readonly [number, number])[]);
    } finally {
      left -= performance.now() - start;
    }
  };
}

function spansOf(word: string, matches: readonly (readonly [number, number])[]): readonly Span[] {
  const spans: Span[] = [];
  let start = 0;
  for (const [from, to] of matches) {
    // A match of no length cuts too: so some put numbers into threes.
    if (from > start) spans.push([word.slice(start, from), false]);
    if (to > from) spans.push([word.slice(from, to), true]);
    start = to;
  }
  if (start < word.length) spans.push([word.slice(start), false]);
  return spans;
}
