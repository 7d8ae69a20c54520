/**
 * GPT-2's alphabet of bytes: in a byte-level vocabulary every byte is written as a printable character. The printable
 * bytes of Latin-1 stand for themselves, the others, in order, for U+0100 and so on.
 */
const letters: readonly string[] = makeLetters();
const bytes: ReadonlyMap<string, number> = new Map(letters.map((letter, byte) => [letter, byte]));

function makeLetters(): readonly string[] {
  const ranges = [
    [0x21, 0x7e],
    [0xa1, 0xac],
    [0xae, 0xff],
  ] as const;
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = ranges.some(([first, last]) => byte >= first && byte <= last);
    return String.fromCharCode(isPrintable ? byte : 0x100 + others++);
  });
}

/** The UTF-8 bytes of `text` in the alphabet: one UTF-16 unit per byte. */
export function toByteLetters(text: string): string {
  return bytesToLetters(Buffer.from(text, "utf8"));
}

/** Bytes in the alphabet. */
export function bytesToLetters(bytes: Uint8Array): string {
  let result = "";
  for (const byte of bytes) result += letters[byte] ?? "";
  return result;
}

/** The bytes that a token means; a character that is no letter of the alphabet stands for itself, in UTF-8. */
export function fromByteLetters(token: string): Uint8Array {
  const result: number[] = [];
  for (const letter of token) {
    const byte = bytes.get(letter);
    if (byte === undefined) result.push(...Buffer.from(letter, "utf8"));
    else result.push(byte);
  }
  return Uint8Array.from(result);
}

/** How vocabularies write a byte for which they have no character: `<0x0A>`. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}
