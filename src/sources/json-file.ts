import { readFile, stat } from "node:fs/promises";
import { ioError } from "../errors.js";
import { formatError } from "./byte-source.js";

/** The largest tokenizer.json of a published model has 35 MB; more than this is an attack on memory. */
const maxJsonBytes = 2 ** 28;

export type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON file with an object in it, read field by field: each getter names the file and the field when it refuses. */
export class JsonFile {
  constructor(
    readonly path: string,
    readonly object: JsonObject,
  ) {}

  has(key: string): boolean {
    return this.object[key] !== undefined && this.object[key] !== null;
  }

  /** An integer from 1 to `most`; `fallback` where the field is absent or null. */
  count(key: string, most: number, fallback?: number): number {
    const value = this.has(key) ? this.object[key] : fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) {
      return value;
    }
    throw this.damaged(key, `expected an integer from 1 to ${most}, got ${show(value)}`);
  }

  /** A finite number above 0; `fallback` where the field is absent or null. */
  positive(key: string, fallback?: number): number {
    const value = this.has(key) ? this.object[key] : fallback;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw this.damaged(key, `expected a number above 0, got ${show(value)}`);
  }

  /** As `positive`; undefined where the field is absent or null. */
  optional(key: string): number | undefined {
    return this.has(key) ? this.positive(key) : undefined;
  }

  text(key: string): string | undefined {
    const value = this.object[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "string") throw this.damaged(key, `expected a text, got ${show(value)}`);
    return value;
  }

  flag(key: string): boolean | undefined {
    const value = this.object[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "boolean") {
      throw this.damaged(key, `expected true or false, got ${show(value)}`);
    }
    return value;
  }

  list(key: string): readonly unknown[] {
    const value = this.object[key];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.damaged(key, `expected a list, got ${show(value)}`);
    return value;
  }

  /** The object under a key, as one whose errors name this file. */
  child(key: string): JsonFile | undefined {
    const value = this.object[key];
    if (value === undefined || value === null) return undefined;
    if (!isObject(value)) throw this.damaged(key, `expected an object, got ${show(value)}`);
    return new JsonFile(this.path, value);
  }

  damaged(field: string, problem: string): Error {
    return formatError(this.path, field, problem);
  }
}

/**
 * Reads a JSON file whose top is an object.
 *
 * @throws NibbleError ERR_IO, ERR_FORMAT where it is no JSON, no object, or larger than 256 MiB.
 */
export async function readJson(path: string, signal?: AbortSignal): Promise<JsonFile> {
  try {
    const { size } = await stat(path);
    if (size > maxJsonBytes)
      throw formatError(path, "file", `is ${size} bytes long, more than any`);
    return parseJson(path, await readFile(path, { encoding: "utf8", ...(signal && { signal }) }));
  } catch (error) {
    signal?.throwIfAborted();
    throw ioError(error, path, "read");
  }
}

/** As `readJson`; undefined where the file is not there. */
export async function readOptionalJson(
  path: string,
  signal?: AbortSignal,
): Promise<JsonFile | undefined> {
  try {
    return await readJson(path, signal);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Text as a JSON object; `path` is for the error. */
export function parseJson(path: string, text: string, field = "file"): JsonFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? cause.message : "it cannot be read";
    throw formatError(path, field, `is no JSON: ${printable(reason)}`);
  }
  if (!isObject(value)) throw formatError(path, field, "is no JSON object");
  return new JsonFile(path, value);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAbsent(error: unknown): boolean {
  const details = (error as { details?: { errno?: unknown } }).details;
  return details?.errno === "ENOENT";
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  return printable(JSON.stringify(value)).slice(0, 80);
}

/** A damaged file's bytes do not reach the terminal as control characters. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
