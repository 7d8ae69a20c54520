/** How SentencePiece writes a space: U+2581. */
export const spaceMark = "\u2581";

/**
 * Cuts text before a `▁` where no token has the character before it and `▁` side by side: no merge can reach across, so
 * that the parts can be encoded one by one, and repeat. Without it a text would be one word.
 *
 * @param tokens everything that merges may make.
 */
export function spaceCutter(tokens: Iterable<string>): (text: string) => readonly string[] {
  // UTF-16 units: half a character in the set keeps more together, never less.
  const joined = new Set<number>();
  for (const token of tokens) {
    let at = token.indexOf(spaceMark, 1);
    for (; at > 0; at = token.indexOf(spaceMark, at + 1)) joined.add(token.charCodeAt(at - 1));
  }
  return (text) => {
    const words: string[] = [];
    let start = 0;
    let at = text.indexOf(spaceMark, 1);
    for (; at > 0; at = text.indexOf(spaceMark, at + 1)) {
      if (joined.has(text.charCodeAt(at - 1))) continue;
      words.push(text.slice(start, at));
      start = at;
    }
    if (start < text.length) words.push(text.slice(start));
    return words;
  };
}
