import { byteToken } from "../bpe/byte-alphabet.js";
import { characterStarts, mergePairs } from "../bpe/merge-pairs.js";

/** Byte-pair encoding as a tokenizer.json describes it. */
export interface BpeModel {
  readonly ids: ReadonlyMap<string, number>;
  /** Pairs that may be joined, the earliest first. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** A word that is a token is not built from merges. */
  readonly ignoresMerges: boolean;
  /** Characters without a token become tokens such as `<0xE2>`. */
  readonly fallsBackToBytes: boolean;
  /** For what has no token at all. */
  readonly unknown: number | undefined;
}

/** Encodes one word: upstream's name for a pre-tokenizer is found by the ids that a whole model gives. */
export function wordEncoder(model: BpeModel): (word: string) => readonly number[] {
  const { ids, ignoresMerges, fallsBackToBytes, unknown } = model;
  const ranks = new Map<string, number>();
  // No token has U+0000 within: the alphabet of bytes has another letter for it.
  model.merges.forEach(([left, right], rank) => {
    const pair = `${left}\0${right}`;
    if (!ranks.has(pair)) ranks.set(pair, rank);
  });
  const spell = (symbol: string): readonly number[] => {
    const bytes = fallsBackToBytes
      ? Array.from(Buffer.from(symbol), (byte) => ids.get(byteToken(byte)))
      : [undefined];
    if (bytes.every((id) => id !== undefined)) return bytes;
    return unknown === undefined ? [] : [unknown];
  };
  return (word) => {
    const whole = ignoresMerges ? ids.get(word) : undefined;
    if (whole !== undefined) return [whole];
    const starts = mergePairs(characterStarts(word), word.length, (start, middle, end) =>
      ranks.get(`${word.slice(start, middle)}\0${word.slice(middle, end)}`),
    );
    return starts.flatMap((start, i) => {
      const symbol = word.slice(start, starts[i + 1]);
      return ids.get(symbol) ?? spell(symbol);
    });
  };
}
