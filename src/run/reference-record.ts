import { formatError } from "../sources/byte-source.js";
import { splitMass } from "./log-softmax.js";
import { largestTokens, takeInOrder } from "./top-tokens.js";

/** What is kept of a reference model's prediction of one token. Logarithms are natural. */
export interface ReferenceRecord {
  readonly vocabularySize: number;
  /** The most probable tokens, the first first; of equal ones the lower id. */
  readonly ids: Uint32Array;
  /** Theirs, in the same order. */
  readonly logProbabilities: Float32Array;
  /** Probability of all other tokens together. */
  readonly residual: number;
  /** The token that came, and its logarithm, for it may be none of the most probable. */
  readonly target: number;
  readonly targetLogProbability: number;
}

/**
 * A function that makes records of the `topK` most probable tokens. Tokens without a probability (logit -infinity) stand
 * last where there are not enough others.
 *
 * It throws NibbleError ERR_UNSUPPORTED where logits are NaN or infinite.
 */
export function createRecorder(
  vocabularySize: number,
  topK: number,
): (logits: Float32Array, target: number) => ReferenceRecord {
  const scratch = new Int32Array(vocabularySize);
  const mask = new Uint8Array(vocabularySize);
  return (logits, target) => {
    const ids = orderedTop(logits, topK, scratch);
    const { logSum, rest } = splitMass(logits, ids, mask, "reference model");
    const logProbability = (id: number): number => Math.fround((logits[id] ?? NaN) - logSum);
    return {
      vocabularySize,
      ids,
      logProbabilities: Float32Array.from(ids, logProbability),
      residual: Math.fround(rest),
      target,
      targetLogProbability: logProbability(target),
    };
  };
}

function orderedTop(logits: Float32Array, topK: number, scratch: Int32Array): Uint32Array {
  const possible = largestTokens(logits, topK, scratch);
  takeInOrder(logits, possible, () => true);
  const ids = new Uint32Array(topK);
  ids.set(possible.reverse());
  let length = possible.length;
  for (let id = 0; length < topK && id < logits.length; id += 1) {
    if (!((logits[id] ?? NaN) > -Infinity)) ids[length++] = id;
  }
  return ids;
}

/** Bytes of a record in a file. */
export function recordBytes(topK: number): number {
  return topK * 8 + 12;
}

/** Writes a record as files have it. */
export function encodeRecord(bytes: Buffer, record: ReferenceRecord): void {
  let at = 0;
  record.ids.forEach((id, k) => {
    at = bytes.writeUInt32LE(id, at);
    at = bytes.writeFloatLE(record.logProbabilities[k] ?? NaN, at);
  });
  at = bytes.writeUInt32LE(record.target, at);
  at = bytes.writeFloatLE(record.targetLogProbability, at);
  bytes.writeFloatLE(record.residual, at);
}

/**
 * The record that `encodeRecord` wrote.
 *
 * @param offset Where in the file it begins.
 * @throws NibbleError ERR_FORMAT where it cannot be one.
 */
export function decodeRecord(
  bytes: Buffer,
  { topK, vocabularySize }: { readonly topK: number; readonly vocabularySize: number },
  path: string,
  offset: number,
): ReferenceRecord {
  const damaged = (field: string, problem: string, at: number) =>
    formatError(path, field, problem, offset + at);
  const ids = new Uint32Array(topK);
  const logProbabilities = new Float32Array(topK);
  const end = 8 * topK;
  let before = 0;
  let sum = 0;
  for (let k = 0; k < topK; k += 1) {
    const id = bytes.readUInt32LE(8 * k);
    const value = bytes.readFloatLE(8 * k + 4);
    if (id >= vocabularySize)
      throw damaged("token", `is ${id}, and the vocabulary has ${vocabularySize}`, 8 * k);
    if (!(value <= before))
      throw damaged("log-probability", `is ${value} after ${before}: it cannot rise`, 8 * k + 4);
    ids[k] = id;
    logProbabilities[k] = value;
    before = value;
    sum += Math.exp(value);
  }
  if (new Set(ids).size !== topK) throw damaged("token", "stands there twice", 0);
  const target = bytes.readUInt32LE(end);
  const targetLogProbability = bytes.readFloatLE(end + 4);
  const residual = bytes.readFloatLE(end + 8);
  if (target >= vocabularySize)
    throw damaged("target", `is ${target}, and the vocabulary has ${vocabularySize}`, end);
  if (!(targetLogProbability <= 0))
    throw damaged("log-probability of the target", `is ${targetLogProbability}, above 0`, end + 4);
  // Rounding to f32 moves a probability by a millionth part of it at most.
  if (!(residual >= 0 && Math.abs(sum + residual - 1) < 1e-4))
    throw damaged("residual mass", `is ${residual}, and the others make ${sum}`, end + 8);
  return { vocabularySize, ids, logProbabilities, residual, target, targetLogProbability };
}
