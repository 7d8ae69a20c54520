import { byteToken, toByteLetters } from "../bpe/byte-alphabet.js";
import { cutWords } from "../bpe/cut-words.js";
import { characterStarts, mergePairs, type PairRank } from "../bpe/merge-pairs.js";
import { spaceCutter, spaceMark } from "./space-cuts.js";
import type { Vocabulary } from "./vocabulary.js";
import { cacheWords } from "./word-cache.js";

/** Encodes a stretch of text that holds no special token. */
export type TextEncoder = (text: string) => readonly number[];

/**
 * Byte pair encoding: the text is cut into words, and in each the pair of neighbours that comes first in the list of
 * merges is joined, until none is in the list. What is no token in the end, and none of its letters is, is left out, as in
 * llama.cpp.
 */
export function bpeEncoder({ ids, merges, pre }: Vocabulary): TextEncoder {
  const ranks = new Map<string, number>();
  merges.forEach((merge, rank) => {
    if (!ranks.has(merge)) ranks.set(merge, rank);
  });
  const longest = merges.reduce((length, merge) => Math.max(length, merge.length - 1), 0);
  const tokenOf = (text: string): number[] => {
    const id = ids.get(text);
    return id === undefined ? [] : [id];
  };
  const spell = (text: string): number[] => {
    if (pre.isCharacterLevel !== true) return Array.from(text).flatMap(tokenOf);
    return Array.from(Buffer.from(text)).flatMap((byte) => tokenOf(byteToken(byte)));
  };
  const encodeWord = cacheWords((word) => {
    const text = pre.isCharacterLevel === true ? word : toByteLetters(word);
    const isWhole =
      pre.ignoresMerges === true || (pre.keepsLineBreaks === true && word.startsWith("\n"));
    const whole = isWhole ? ids.get(text) : undefined;
    if (whole !== undefined) return [whole];
    const rank: PairRank = (start, middle, end) =>
      end - start > longest
        ? undefined
        : ranks.get(`${text.slice(start, middle)} ${text.slice(middle, end)}`);
    const starts = mergePairs(characterStarts(text), text.length, rank);
    return starts.flatMap((start, i) => {
      const symbol = text.slice(start, starts[i + 1]);
      return ids.get(symbol) ?? spell(symbol);
    });
  });
  const cutAtSpaces =
    pre.escapesSpaces === true
      ? spaceCutter(merges.map((merge) => merge.replace(" ", "")))
      : undefined;
  return (text) => {
    const escaped = pre.escapesSpaces === true ? text.replaceAll(" ", spaceMark) : text;
    const words = cutWords(escaped, pre.cuts);
    return (cutAtSpaces === undefined ? words : words.flatMap(cutAtSpaces)).flatMap(encodeWord);
  };
}
