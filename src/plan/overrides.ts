import { argumentError } from "../errors.js";
import { findFormat, formats, type FormatName } from "../formats.js";
import { oneOf } from "./nearest-name.js";

/** Tensors whose name a pattern is found in become `type`. */
export interface TensorTypeOverride {
  /** A regular expression (ECMAScript), searched for anywhere in the name, in any case. */
  readonly pattern: string;
  /** Name of a tensor type, in any case. */
  readonly type: string;
}

/** An override that was checked. */
export interface Override {
  readonly pattern: string;
  readonly regex: RegExp;
  readonly type: FormatName;
}

/** Bounds what a pattern can cost; a list of every tensor of a large model is better given as several patterns. */
const maxPatternLength = 1000;

/**
 * The tensor type of that name, in any case.
 *
 * @throws NibbleError ERR_ARGUMENT with the nearest name, where there is none.
 */
export function findType(option: string, name: string): FormatName {
  const found = findFormat(name);
  if (found !== undefined) return found.name;
  const names = formats.map((format) => format.name);
  throw argumentError(option, oneOf(name, names), name);
}

/**
 * `REGEX=TYPE` of the command line. The last `=` separates, since types have none.
 *
 * @throws NibbleError ERR_ARGUMENT where a part is missing.
 */
export function parseOverride(text: string): TensorTypeOverride {
  const separator = text.lastIndexOf("=");
  if (separator < 1 || separator === text.length - 1) {
    throw argumentError("--tensor-type", "REGEX=TYPE, such as ffn_down=Q6_K", text);
  }
  return { pattern: text.slice(0, separator), type: text.slice(separator + 1) };
}

/**
 * Checks overrides and compiles their patterns.
 *
 * @throws NibbleError ERR_ARGUMENT for an unknown type or a pattern that is invalid or longer than 1000 characters.
 */
export function compileOverrides(overrides: readonly TensorTypeOverride[]): readonly Override[] {
  return overrides.map(({ pattern, type }) => ({
    pattern,
    regex: compile(pattern),
    type: findType("--tensor-type", type),
  }));
}

function compile(pattern: string): RegExp {
  if (pattern.length > maxPatternLength) {
    const actual = `one of ${pattern.length}`;
    throw argumentError(
      "--tensor-type",
      `a pattern of at most ${maxPatternLength} characters`,
      actual,
    );
  }
  try {
    return new RegExp(pattern, "i");
  } catch (error) {
    const why = error instanceof Error ? ` (${error.message})` : "";
    throw argumentError("--tensor-type", `a valid regular expression${why}`, pattern);
  }
}
