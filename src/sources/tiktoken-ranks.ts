import { bytesToLetters } from "../bpe/byte-alphabet.js";
import { mergePairs } from "../bpe/merge-pairs.js";
import { formatError } from "./byte-source.js";

/** A tiktoken list: the bytes of every token, and as its id the rank in which training made it. */
export interface TiktokenVocabulary {
  readonly path: string;
  /** Id by token, in the alphabet of bytes. */
  readonly ids: ReadonlyMap<string, number>;
  /** The pairs that tokens are made of, the earliest first. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

const tokenLine = /^([A-Za-z0-9+/]+={0,2}) (\d{1,9})\r?$/;
/** The longest tokens of published vocabularies are runs of some hundred spaces. */
const maxTokenBytes = 4096;

/** Whether a file is such a list (and not, under the same name, a SentencePiece model). */
export function isTiktoken(bytes: Buffer): boolean {
  const end = bytes.subarray(0, 2 * maxTokenBytes).indexOf("\n");
  return end > 0 && tokenLine.test(bytes.toString("latin1", 0, end));
}

/**
 * Reads a tiktoken list, lines of a token in base64 and its rank. The merge that makes a token is what its bytes come to
 * with all earlier ones; tokens that do not come to two parts have no merge, and are reached only as a whole.
 *
 * @throws NibbleError ERR_FORMAT where a line is damaged, or a token or rank comes twice.
 */
export function parseTiktoken(path: string, bytes: Buffer): TiktokenVocabulary {
  const ranks = new Map<string, number>();
  const taken = new Set<number>();
  const lines = bytes.toString("latin1").split("\n");
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const [, base64, digits] = tokenLine.exec(line) ?? [];
    const field = `line ${index + 1}`;
    if (base64 === undefined) throw formatError(path, field, "is no token in base64 with a rank");
    const token = Buffer.from(base64, "base64");
    const rank = Number(digits);
    if (token.length === 0 || token.length > maxTokenBytes) {
      throw formatError(path, field, `has a token of ${token.length} bytes`);
    }
    const letters = bytesToLetters(token);
    if (ranks.has(letters)) throw formatError(path, field, "has a token for the second time");
    if (taken.has(rank)) throw formatError(path, field, `has the rank ${rank} for the second time`);
    ranks.set(letters, rank);
    taken.add(rank);
  }
  const ids = new Map([...ranks].sort((a, b) => a[1] - b[1]));
  const merges: [string, string][] = [];
  for (const [token, rank] of ids) {
    const cut = lastJoin(token, rank, ids);
    if (cut !== undefined) merges.push([token.slice(0, cut), token.slice(cut)]);
  }
  return { path, ids, merges };
}

/** Where the two parts meet that a token is made of. */
function lastJoin(
  token: string,
  rank: number,
  ranks: ReadonlyMap<string, number>,
): number | undefined {
  if (token.length === 1) return undefined;
  const letters = Array.from({ length: token.length }, (_, i) => i);
  const starts = mergePairs(letters, token.length, (start, _, end) => {
    const made = ranks.get(token.slice(start, end));
    return made !== undefined && made < rank ? made : undefined;
  });
  return starts.length === 2 ? starts[1] : undefined;
}
