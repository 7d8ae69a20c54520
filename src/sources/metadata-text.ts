import { argumentError } from "../errors.js";
import type { MetadataEntry, Scalar, ScalarType } from "./model-info.js";

interface TextReader {
  /** What a text of the type looks like. */
  readonly expected: string;
  /** The value, or undefined where the text is none. */
  readonly read: (text: string) => Scalar | undefined;
}

const readers: Readonly<Record<ScalarType, TextReader>> = {
  u8: integer(0n, 2n ** 8n - 1n),
  i8: integer(-(2n ** 7n), 2n ** 7n - 1n),
  u16: integer(0n, 2n ** 16n - 1n),
  i16: integer(-(2n ** 15n), 2n ** 15n - 1n),
  u32: integer(0n, 2n ** 32n - 1n),
  i32: integer(-(2n ** 31n), 2n ** 31n - 1n),
  u64: integer(0n, 2n ** 64n - 1n, true),
  i64: integer(-(2n ** 63n), 2n ** 63n - 1n, true),
  f32: decimal(Math.fround),
  f64: decimal((value) => value),
  bool: {
    expected: "true or false",
    read: (text) => (text === "true" ? true : text === "false" ? false : undefined),
  },
  string: { expected: "a text", read: (text) => text },
};

function integer(least: bigint, most: bigint, isWide = false): TextReader {
  return {
    expected: `an integer from ${least} to ${most}`,
    read(text) {
      if (!/^[+-]?\d{1,20}$/.test(text)) return undefined;
      const value = BigInt(text.replace(/^\+/, ""));
      if (value < least || value > most) return undefined;
      return isWide ? value : Number(value);
    },
  };
}

function decimal(round: (value: number) => number): TextReader {
  return {
    expected: "a number such as 10000 or 1e-5",
    read(text) {
      if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
      const value = round(Number(text));
      return Number.isFinite(value) ? value : undefined;
    },
  };
}

/**
 * A metadata entry that is written as `KEY=TYPE:VALUE`: `general.name=string:My model`, `llama.rope.freq_base=f32:1e6`.
 *
 * @param names The types by what they are called in the text: every type by its own name, if this is left out.
 * @throws NibbleError ERR_ARGUMENT for anything else, an unknown type, and a value that the type cannot hold.
 */
export function parseEntry(
  option: string,
  text: string,
  names: Readonly<Record<string, ScalarType>> = ownNames,
): MetadataEntry {
  const [, key, name, value] = /^([^=\0]+)=([^:]*):(.*)$/s.exec(text) ?? [];
  if (key === undefined || name === undefined || value === undefined) {
    throw argumentError(option, `KEY=TYPE:VALUE, as general.name=${textName(names)}:Mine`, text);
  }
  const type = Object.hasOwn(names, name) ? names[name] : undefined;
  if (type === undefined) {
    const known = Object.keys(names).join(", ");
    throw argumentError(option, `a type of ${key} that is one of ${known}`, name);
  }
  const { expected, read } = readers[type];
  const parsed = read(value);
  if (parsed === undefined) throw argumentError(`${option} ${key}`, `${expected} (${type})`, value);
  return { key, type, value: parsed };
}

/** Every type under its own name. */
const ownNames = Object.fromEntries(
  (Object.keys(readers) as ScalarType[]).map((type) => [type, type]),
);

function textName(names: Readonly<Record<string, ScalarType>>): string {
  return Object.keys(names).find((name) => names[name] === "string") ?? "string";
}
