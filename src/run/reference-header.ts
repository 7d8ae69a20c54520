import { createHash } from "node:crypto";
import { argumentError } from "../errors.js";
import { formatError, type Cursor } from "../sources/byte-source.js";
import { recordBytes } from "./reference-record.js";

/*
 * What a reference model predicted, for a comparison without it. Little-endian:
 *
 *   8 bytes "NIBREF01"; 6 u32 in the order of `numbers`; 32 bytes sha256 of the tokens (u32 each);
 *   u32 length of JSON; JSON {"model": its name}
 *   chunks x positionsPerChunk records: topK x {u32 token, f32 ln probability}, descending;
 *   u32 token that came, f32 its ln probability; f32 probability of all tokens that are not among the topK
 */

export interface ReferenceHeader {
  readonly vocabularySize: number;
  /** How many of the most probable tokens are kept of every position; 1 to the size of the vocabulary. */
  readonly topK: number;
  /** Tokens in a chunk. */
  readonly contextLength: number;
  readonly chunks: number;
  /** Positions of a chunk that are scored, and the first of them. */
  readonly positionsPerChunk: number;
  readonly firstPosition: number;
  /** Of the text's tokens, see `hashTokens`. */
  readonly tokensSha256: string;
  /** The reference model's name. */
  readonly model: string;
}

const magic = "NIBREF01";
const maxJsonBytes = 1 << 16;
const fixedBytes = magic.length + 6 * 4 + 32 + 4;

/** Smallest and largest value of each number, in the order of the file. */
const numbers = [
  ["vocabularySize", 1, 2 ** 24],
  ["topK", 1, 2 ** 24],
  ["contextLength", 1, 2 ** 31],
  ["chunks", 1, 2 ** 31],
  ["positionsPerChunk", 1, 2 ** 31],
  ["firstPosition", 0, 2 ** 31],
] as const;

type NumberField = (typeof numbers)[number][0];

/** sha256 of token ids as u32 little-endian: a reference fits only the tokens it was made from. */
export function hashTokens(tokens: readonly number[]): string {
  const bytes = Buffer.alloc(4 * tokens.length);
  tokens.forEach((token, i) => bytes.writeUInt32LE(token, 4 * i));
  return createHash("sha256").update(bytes).digest("hex");
}

/** What is wrong with a header's numbers together. */
function headerProblem(
  header: Pick<ReferenceHeader, NumberField>,
): { field: NumberField; problem: string } | undefined {
  for (const [field, least, most] of numbers) {
    const value = header[field];
    if (!Number.isInteger(value) || value < least || value > most)
      return { field, problem: `is ${value}, not an integer from ${least} to ${most}` };
  }
  const { topK, vocabularySize, contextLength, positionsPerChunk, firstPosition } = header;
  if (topK > vocabularySize)
    return {
      field: "topK",
      problem: `is ${topK}, more than the ${vocabularySize} tokens there are`,
    };
  if (firstPosition + positionsPerChunk > contextLength) {
    const problem = `is ${positionsPerChunk}: from ${firstPosition} on there are fewer in ${contextLength} tokens`;
    return { field: "positionsPerChunk", problem };
  }
  return undefined;
}

/** @throws NibbleError ERR_ARGUMENT where the header makes no sense. */
export function encodeReferenceHeader(header: ReferenceHeader): Buffer {
  const found = headerProblem(header);
  if (found !== undefined) throw argumentError(found.field, "a sensible number", found.problem);
  if (!/^[0-9a-f]{64}$/.test(header.tokensSha256))
    throw argumentError("tokensSha256", "64 hexadecimal digits", header.tokensSha256);
  const json = Buffer.from(JSON.stringify({ model: header.model }));
  if (json.length > maxJsonBytes)
    throw argumentError("model", `a name of at most ${maxJsonBytes} bytes`, `${json.length} bytes`);
  const words = Buffer.alloc(4 * numbers.length);
  numbers.forEach(([field], i) => words.writeUInt32LE(header[field], 4 * i));
  const jsonLength = Buffer.alloc(4);
  jsonLength.writeUInt32LE(json.length);
  const hash = Buffer.from(header.tokensSha256, "hex");
  return Buffer.concat([Buffer.from(magic, "latin1"), words, hash, jsonLength, json]);
}

/**
 * The header, and where the records begin. The length of the file is what the header says.
 *
 * @throws NibbleError ERR_FORMAT with path, offset and field.
 */
export function parseReferenceHeader(cursor: Cursor): { header: ReferenceHeader; start: number } {
  if (cursor.remaining < fixedBytes || cursor.take(8, "magic").toString("latin1") !== magic)
    throw formatError(
      cursor.path,
      "magic",
      `is no reference file: does not begin with ${magic}`,
      0,
    );
  const values = Object.fromEntries(numbers.map(([field]) => [field, cursor.u32(field)])) as Record<
    NumberField,
    number
  >;
  const found = headerProblem(values);
  if (found !== undefined) {
    const index = numbers.findIndex(([field]) => field === found.field);
    throw cursor.damaged(found.field, found.problem, magic.length + 4 * index);
  }
  const tokensSha256 = cursor.take(32, "sha256 of the tokens").toString("hex");
  const model = readModelName(cursor);
  const start = cursor.position;
  const expected = start + values.chunks * values.positionsPerChunk * recordBytes(values.topK);
  if (cursor.fileBytes !== expected) {
    const problem = `has ${cursor.fileBytes} bytes instead of ${expected}; it is cut or damaged, make it again with --save-reference`;
    throw cursor.damaged("file", problem, Math.min(cursor.fileBytes, expected));
  }
  return { header: { ...values, tokensSha256, model }, start };
}

function readModelName(cursor: Cursor): string {
  const length = cursor.u32("length of JSON");
  if (length > maxJsonBytes)
    throw cursor.damaged("length of JSON", `is more than ${maxJsonBytes}`, cursor.position - 4);
  const at = cursor.position;
  const text = cursor.take(length, "JSON").toString("utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw cursor.damaged("JSON", "cannot be read", at);
  }
  const model = (json as { readonly model?: unknown } | null)?.model;
  if (typeof model === "string") return model;
  throw cursor.damaged("JSON", "has no model's name", at);
}
