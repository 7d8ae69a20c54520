import { createHash } from "node:crypto";
import { toByteLetters } from "../bpe/byte-alphabet.js";
import { cutWords } from "../bpe/cut-words.js";
import { findPreTokenizer, preTokenizers, type PreTokenizer } from "../bpe/pre-tokenizers.js";
import { argumentError, NibbleError } from "../errors.js";
import { wordEncoder, type BpeModel } from "./bpe-words.js";
import type { AddedToken } from "./hf-added-tokens.js";
import { flatten, readPipeline, type Pipeline } from "./hf-pipeline.js";
import { encodeText, withEnds } from "./hf-test-ids.js";
import { isObject, type JsonFile } from "./json-file.js";
import { preTokenizerByHash, testText } from "./pre-tokenizer-hashes.js";

/** A byte-level model of which the pre-tokenizer's name is looked for. */
export interface NamelessTokenizer {
  readonly path: string;
  readonly model: BpeModel;
  readonly added: readonly AddedToken[];
  readonly bos: number | undefined;
  readonly eos: number | undefined;
}

const raw = String.raw;

/**
 * Cuts on which pre-tokenizers differ though they agree on upstream's string: both cases within a word, marks, CJK with kana
 * and Hangul, line ends, tabs, underscores and slashes, digits of other scripts, long numbers.
 */
const probeText = [
  "aBcD HTMLParser iPhone'S caf\u0065\u0301 nai\u0308ve x_y __init__ a/b //c\r\n\r\n\td \n e",
  " 1234567890 12,345.678 \u0661\u0662\u0663\u0664 \u00bd\u00b2 \u4f60\u597d\u3053\u3093\u306b\u3061\u306f\u30ab\u30bf",
  "\ud55c\uad6d\uc5b4 \u0e44\u0e17\u0e22 \u0939\u093f\u0928\u094d\u0926\u0940 (a) [b] {c}$+<=>^~| \u3002\uff0c\u2026!\n\n",
  "it'll IT'LL can't\u2019s #tag @at a.b, c;d: e?\u00a0f   g     h  ",
].join("");

const upper = raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const lower = raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
/** Words in which capitals come first, each with a `suffix`; then numbers and the rest. */
function casedRegex(suffix: string, numbers: string): string {
  const lead = raw`[^\r\n\p{L}\p{N}]?`;
  const ending = raw` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
  return `${lead}${upper}*${lower}+${suffix}|${lead}${upper}+${lower}*${suffix}|${numbers}|${ending}`;
}

/** Steps that have a name though what llama.cpp does under it cuts a little otherwise. */
const knownSteps: Readonly<Record<string, readonly string[]>> = {
  "gpt-4o": [`Split ${casedRegex("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", raw`\p{N}{1,3}`)}`, "ByteLevel"],
  tekken: [`Split ${casedRegex("", raw`\p{N}`)}`, "ByteLevel"],
  falcon: ["Punctuation", "ByteLevel", "Digits", "Split [0-9][0-9][0-9]"],
};

/** Checks a name that the caller gave. */
export function checkedName(pre: string): string {
  if (findPreTokenizer(pre) !== undefined) return pre;
  const names = preTokenizers.map((one) => one.names[0]).join(", ");
  throw argumentError("pre", `the name of a pre-tokenizer (${names} and their kin)`, pre);
}

/**
 * llama.cpp's name (`tokenizer.ggml.pre`) for the way in which a tokenizer.json cuts text. First as upstream's converter
 * finds it, by the ids of a test string; then by the cuts themselves, compared with those of every known name.
 *
 * @throws NibbleError ERR_UNSUPPORTED where it is none of those that are known; `--pre` names it then.
 */
export function preTokenizerName(tokenizer: JsonFile, nameless: NamelessTokenizer): string {
  const pipeline = readPipeline(tokenizer.object);
  const found =
    pipeline === undefined
      ? undefined
      : (bounded(() => {
          const ids = encodeText(testText, pipeline, nameless.model, nameless.added);
          const post = tokenizer.object["post_processor"];
          return namesOfIds(withEnds(ids, post, nameless.bos, nameless.eos))[0];
        }) ??
        nameOfSteps(tokenizer) ??
        bounded(() => nameOfCuts(pipeline, nameless.model.ignoresMerges)));
  if (found !== undefined) return found;
  const shown = stepsOf(tokenizer).join(", ");
  throw unknownPreTokenizer(nameless.path, shown === "" ? "missing" : shown);
}

/**
 * The same of a vocabulary that comes without a description of its cuts (vocab.json with merges.txt, tiktoken): the known
 * cuts with which it gives ids of which upstream knows the hash.
 *
 * @returns undefined where there is none.
 */
export function preTokenizerOfIds({ model, bos, eos }: NamelessTokenizer): string | undefined {
  const encoders = [true, false].map((ignoresMerges) => wordEncoder({ ...model, ignoresMerges }));
  for (const pre of preTokenizers.filter(({ isCharacterLevel }) => isCharacterLevel !== true)) {
    const words = cutWords(testText, pre.cuts).map(toByteLetters);
    const encode = encoders[pre.ignoresMerges === true ? 0 : 1];
    const ids = words.flatMap((word) => encode?.(word) ?? []);
    const name = namesOfIds(withEnds(ids, undefined, bos, eos)).find((one) =>
      pre.names.includes(one),
    );
    if (name !== undefined) return name;
  }
  return undefined;
}

function namesOfIds(lists: readonly (readonly number[])[]): readonly string[] {
  return lists.flatMap((ids) => {
    const text = `[${ids.join(", ")}]`;
    return preTokenizerByHash.get(createHash("sha256").update(text).digest("hex")) ?? [];
  });
}

/** Of the names that cut the test string alike, those that treat merges alike first, then those that are alike in more. */
function nameOfCuts(pipeline: Pipeline, ignoresMerges: boolean): string | undefined {
  const alike = preTokenizers
    .filter(({ isCharacterLevel }) => isCharacterLevel !== true)
    .filter(cutsLike(pipeline, testText));
  const isAlikeInMore = cutsLike(pipeline, probeText);
  const score = (pre: PreTokenizer): number =>
    (isAlikeInMore(pre) ? 1 : 0) + ((pre.ignoresMerges === true) === ignoresMerges ? 2 : 0);
  // Sorting keeps the order of equals: the oldest first.
  return [...alike].sort((a, b) => score(b) - score(a))[0]?.names[0];
}

/** What tells of a known pre-tokenizer whether it cuts a text as the pipeline does. */
function cutsLike(pipeline: Pipeline, text: string): (pre: PreTokenizer) => boolean {
  const normal = pipeline.normalize(text);
  const theirs = pipeline.cut(normal, true).map((word) => word.length);
  // A space that is put before the text is not for llama.cpp's names to say.
  const isLonger = theirs.reduce((sum, bytes) => sum + bytes, 0) > Buffer.byteLength(normal);
  const whole = isLonger ? ` ${normal}` : normal;
  return ({ cuts }) => {
    const ours = cutWords(whole, cuts).map((word) => Buffer.byteLength(word));
    return theirs.join() === ours.join();
  };
}

/** A pattern that takes too long makes the tokenizer one that is not known. */
function bounded(find: () => string | undefined): string | undefined {
  try {
    return find();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ERR_SCRIPT_EXECUTION_TIMEOUT" || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The steps as far as they tell one pre-tokenizer from another. */
function stepsOf(tokenizer: JsonFile): readonly string[] {
  return flatten(tokenizer.object["pre_tokenizer"]).map(({ type, pattern }) => {
    if (!isObject(pattern)) return String(type);
    return `${String(type)} ${String(pattern["Regex"] ?? pattern["String"])}`;
  });
}

function nameOfSteps(tokenizer: JsonFile): string | undefined {
  const steps = stepsOf(tokenizer).join("\n");
  return Object.keys(knownSteps).find((name) => knownSteps[name]?.join("\n") === steps);
}

/** @param shown what is known of the way in which it cuts. */
export function unknownPreTokenizer(path: string, shown: string): NibbleError {
  const names = preTokenizers.map((one) => one.names[0]).join(", ");
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: its way to cut text (${shown.slice(0, 300)}) is none that llama.cpp has a name for; ` +
      `choose the one that cuts like it with --pre NAME (${names})`,
    { what: "pre-tokenizer", value: shown },
  );
}

/** Whether a tokenizer.json's vocabulary is written in the alphabet of bytes: GPT-2's kind. */
export function isByteLevel(tokenizer: JsonFile): boolean {
  const { normalizer, pre_tokenizer: cuts, decoder } = tokenizer.object;
  return [normalizer, cuts, decoder].some((part) =>
    flatten(part).some(({ type }) => type === "ByteLevel"),
  );
}
