import { argumentError } from "../errors.js";
import type { LoadedModel, RunOptions } from "./engine.js";
import { abortable, openModel } from "./with-model.js";

export interface GenerateOptions extends RunOptions {
  /** Tokens to write at most; 128 by default. */
  readonly maxTokens?: number | undefined;
  /** 0 (always the most probable token) and up; 0.8 by default. */
  readonly temperature?: number | undefined;
  /** The same seed gives the same text on the same machine; without one every call differs. */
  readonly seed?: number | undefined;
}

/**
 * What the model writes after `prompt`, in pieces of whole characters, without the prompt. Ends with the model's own end
 * of text or after `maxTokens`. BOS comes first where the model wants it; names of special tokens in the prompt are those
 * tokens. No chat template is applied.
 *
 * @throws NibbleError ERR_ARGUMENT, ERR_UNSUPPORTED, ERR_FORMAT, ERR_NATIVE_LOAD; `signal.reason` on abort.
 */
export async function* generate(
  path: string,
  prompt: string,
  options: GenerateOptions = {},
): AsyncGenerator<string, void, undefined> {
  const { maxTokens = 128, temperature = 0.8, seed } = options;
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1) {
    throw argumentError("maxTokens", "an integer of at least 1", maxTokens);
  }
  if (!Number.isFinite(temperature) || temperature < 0) {
    throw argumentError("temperature", "a number of at least 0", temperature);
  }
  if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw argumentError("seed", "an integer from 0 to 4294967295", seed);
  }
  const { model, dispose } = await openModel(path, options);
  try {
    const tokens = promptTokens(model, prompt);
    const context = await model.createContext(tokens.length + maxTokens);
    const written = context.generate(tokens, { temperature, seed }, false);
    yield* decode(model, tokens, written, maxTokens, options.signal);
  } finally {
    await dispose();
  }
}

function promptTokens(model: LoadedModel, prompt: string): readonly number[] {
  const bos = model.addsBos ? model.bos : undefined;
  const tokens = [...(bos === undefined ? [] : [bos]), ...model.tokenize(prompt, true)];
  // Something has to stand there for the first token to follow.
  if (tokens.length === 0 && model.bos !== undefined) return [model.bos];
  if (tokens.length === 0) throw argumentError("prompt", "a text of at least one token", prompt);
  return tokens;
}

/** A character of four bytes may take four tokens. */
const maxPending = 4;

/** Tokens to text; bytes of a character that is not complete are held back. */
async function* decode(
  model: LoadedModel,
  prompt: readonly number[],
  written: AsyncIterable<number>,
  maxTokens: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const before = [...prompt];
  let pending: number[] = [];
  const tokens = written[Symbol.asyncIterator]();
  for (let count = 0; count < maxTokens; count += 1) {
    const next = await abortable(tokens.next(), signal);
    if (next.done === true) break;
    pending.push(next.value);
    const text = model.detokenize(pending, before);
    if (text.endsWith("\ufffd") && pending.length < maxPending) continue;
    yield text;
    before.push(...pending);
    pending = [];
  }
  if (pending.length > 0) yield model.detokenize(pending, before);
}
