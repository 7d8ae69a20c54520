import { NibbleError } from "../errors.js";
import type { Cut } from "./pre-tokenizers.js";

/** Applies the cuts, one after the other. Joined, the words are the text. */
export function cutWords(text: string, cuts: readonly Cut[]): readonly string[] {
  let words: readonly string[] = text === "" ? [] : [text];
  for (const cut of cuts) {
    if (typeof cut === "function") {
      words = words.flatMap(cut);
      continue;
    }
    const next: string[] = [];
    for (const word of words) cutWith(cut, word, next);
    words = next;
  }
  return words;
}

function cutWith(regex: RegExp, text: string, words: string[]): void {
  let start = 0;
  // Not matchAll: it makes a new regular expression for every word.
  regex.lastIndex = 0;
  try {
    for (let match = regex.exec(text); match !== null; match = regex.exec(text)) {
      if (match.index > start) words.push(text.slice(start, match.index));
      words.push(match[0]);
      start = regex.lastIndex;
    }
  } catch (error) {
    if (error instanceof RangeError) throw tooLong(error);
    throw error;
  }
  if (start < text.length) words.push(text.slice(start));
}

/** The engine's regular expressions remember where to go back to: some millions of characters in one word. */
function tooLong(cause: RangeError): NibbleError {
  return new NibbleError(
    "ERR_UNSUPPORTED",
    "the text has millions of characters in one word, too many to cut; break it into lines",
    { what: "text", value: "word too long" },
    { cause },
  );
}
