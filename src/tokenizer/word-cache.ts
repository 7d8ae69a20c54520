/** Longer words hardly come twice. */
const maxCharacters = 64;
/** Words that are remembered; then it starts anew, so that memory is bounded. */
const maxWords = 1 << 16;

/** `encode` with a memory: the words of a text repeat. */
export function cacheWords(
  encode: (word: string) => readonly number[],
): (word: string) => readonly number[] {
  const known = new Map<string, readonly number[]>();
  return (word) => {
    if (word.length > maxCharacters) return encode(word);
    const found = known.get(word);
    if (found !== undefined) return found;
    const ids = encode(word);
    if (known.size >= maxWords) known.clear();
    // A copy: the engine's substring would keep the whole text alive.
    known.set(Buffer.from(word, "utf8").toString("utf8"), ids);
    return ids;
  };
}
