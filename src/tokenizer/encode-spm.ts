import { NibbleError } from "../errors.js";
import type { TextEncoder } from "./encode-bpe.js";
import { byteToken } from "../bpe/byte-alphabet.js";
import { characterStarts, mergePairs, type PairRank } from "../bpe/merge-pairs.js";
import { spaceCutter, spaceMark } from "./space-cuts.js";
import type { Vocabulary } from "./vocabulary.js";
import { cacheWords } from "./word-cache.js";

/**
 * SentencePiece-style encoding as llama.cpp does it: two neighbours may be joined where that makes a token, the one with the
 * highest score first. A character that is no token becomes its bytes' tokens; where these are missing too, the unknown
 * token.
 */
export function spmEncoder(vocabulary: Vocabulary): TextEncoder {
  const { ids, scores, texts, path, unknown } = vocabulary;
  const longest = texts.reduce((length, text) => Math.max(length, text.length), 0);
  const spell = (character: string): number[] => {
    const bytes = Array.from(Buffer.from(character), (byte) => ids.get(byteToken(byte)));
    if (bytes.every((id) => id !== undefined)) return bytes;
    if (unknown !== undefined) return [unknown];
    throw new NibbleError(
      "ERR_UNSUPPORTED",
      `${path}: its vocabulary has no token for ${JSON.stringify(character)}, and none for unknown characters`,
      { what: "character", value: character },
    );
  };
  const encodeWord = cacheWords((word) => {
    const rank: PairRank = (start, _, end) => {
      const id = end - start > longest ? undefined : ids.get(word.slice(start, end));
      return id === undefined ? undefined : -(scores[id] ?? 0);
    };
    const starts = mergePairs(characterStarts(word), word.length, rank);
    return starts.flatMap((start, i) => {
      const symbol = word.slice(start, starts[i + 1]);
      return ids.get(symbol) ?? spell(symbol);
    });
  });
  const cutAtSpaces = spaceCutter(texts);
  return (text) => cutAtSpaces(text.replaceAll(" ", spaceMark)).flatMap(encodeWord);
}
