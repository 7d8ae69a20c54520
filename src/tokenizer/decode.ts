import { argumentError } from "../errors.js";
import { byteToken, fromByteLetters } from "../bpe/byte-alphabet.js";
import { spaceMark } from "./space-cuts.js";
import { attribute } from "./special-tokens.js";
import type { Vocabulary } from "./vocabulary.js";

export interface DecodeOptions {
  /** Control tokens become their text, `<|eot|>`; without it they are left out. A BOS at the start always is. */
  readonly special?: boolean | undefined;
  /** The tokens continue a text, so that a space at their start is part of it. */
  readonly continues?: boolean | undefined;
}

/** Turns tokens into text, one at a time. */
export interface Decoder {
  /** The text that is complete with this token; bytes of a character that is not wait for the next. */
  readonly push: (id: number) => string;
  /** What is left: U+FFFD for an incomplete character. The decoder is as new then, of the same text. */
  readonly end: () => string;
}

export interface TokenDecoder {
  /** A token as people may read it: its text; bytes that are not whole characters as `<0xE2>`. */
  readonly piece: (id: number) => string;
  readonly decoder: (options?: DecodeOptions) => Decoder;
}

/** @throws NibbleError ERR_ARGUMENT from every function, for an id that the vocabulary does not have. */
export function tokenDecoder(vocabulary: Vocabulary): TokenDecoder {
  const known: (Uint8Array | undefined)[] = [];
  const bytesOf = (id: number): Uint8Array => {
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary.size) {
      throw argumentError("token", `an id from 0 to ${vocabulary.size - 1}`, id);
    }
    return (known[id] ??= tokenBytes(vocabulary, id));
  };
  return {
    piece: (id) => showBytes(bytesOf(id)),
    decoder: (options = {}) => createDecoder(vocabulary, bytesOf, options),
  };
}

function createDecoder(
  { attributes, addsBos, addsSpace, bos }: Vocabulary,
  bytesOf: (id: number) => Uint8Array,
  { special = false, continues = false }: DecodeOptions,
): Decoder {
  const text = new TextDecoder("utf-8", { ignoreBOM: true });
  let isFirst = !continues;
  return {
    push(id) {
      let bytes = bytesOf(id);
      const wasFirst = isFirst;
      isFirst = false;
      // Behind BOS the space that encoding adds stays, as in llama.cpp.
      if (wasFirst && addsBos && id === bos) return "";
      const isControl = ((attributes[id] ?? 0) & (attribute.control | attribute.unknown)) !== 0;
      if (isControl && !special) return "";
      if (wasFirst && addsSpace && bytes[0] === 0x20) bytes = bytes.subarray(1);
      return text.decode(bytes, { stream: true });
    },
    end: () => text.decode(),
  };
}

/** What a token stands for, in UTF-8; not always whole characters. */
function tokenBytes({ texts, attributes, model, pre }: Vocabulary, id: number): Uint8Array {
  const text = texts[id] ?? "";
  const bits = attributes[id] ?? 0;
  if (bits & (attribute.control | attribute.unknown | attribute.userDefined)) {
    return Buffer.from(text);
  }
  if (bits & attribute.normal) {
    const hasMarks = model === "spm" || pre.escapesSpaces === true;
    return hasMarks ? Buffer.from(text.replaceAll(spaceMark, " ")) : fromByteLetters(text);
  }
  if (bits & attribute.byte) {
    const byte = parseInt(text.slice(3, 5), 16);
    return Number.isNaN(byte) ? Buffer.from(text) : Uint8Array.of(byte);
  }
  return new Uint8Array();
}

function showBytes(bytes: Uint8Array): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true });
  let shown = "";
  let waiting: number[] = [];
  const flush = (): void => {
    shown += waiting.map(byteToken).join("");
    waiting = [];
  };
  for (const byte of bytes) {
    // A byte that starts a character ends what was left of another.
    if ((byte & 0xc0) !== 0x80) flush();
    waiting.push(byte);
    const character = text.decode(Uint8Array.from(waiting));
    if (character.includes("\ufffd") && !isReplacement(waiting)) continue;
    shown += character;
    waiting = [];
  }
  flush();
  return shown;
}

/** Whether the bytes are U+FFFD itself. */
function isReplacement(bytes: readonly number[]): boolean {
  return bytes.length === 3 && bytes[0] === 0xef && bytes[1] === 0xbf && bytes[2] === 0xbd;
}
