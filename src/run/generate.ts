import { argumentError } from "../errors.js";
import type { EngineContext, LoadedModel, RunOptions } from "./engine.js";
import { modelValues } from "./model-values.js";
import { samplingSettings, type SamplingOptions } from "./sampling.js";
import { createStopFilter } from "./stop-strings.js";
import { abortable, openModel } from "./with-model.js";

export interface GenerateOptions extends RunOptions, SamplingOptions {
  /** Tokens to write at most, and as many as the model's context has room for; 128 by default. */
  readonly maxTokens?: number | undefined;
  /** Texts that end the text where they come up; they are not part of it. */
  readonly stop?: readonly string[] | undefined;
}

/**
 * What the model writes after `prompt`, in pieces of whole characters, without the prompt. Ends with the model's own end
 * of text, at a stop string or after `maxTokens`. BOS comes first where the model wants it; names of special tokens in
 * the prompt are those tokens. No chat template is applied.
 *
 * @throws NibbleError ERR_ARGUMENT, ERR_UNSUPPORTED, ERR_FORMAT, ERR_NATIVE_LOAD; `signal.reason` on abort.
 */
export async function* generate(
  path: string,
  prompt: string,
  options: GenerateOptions = {},
): AsyncGenerator<string, void, undefined> {
  const { maxTokens = 128 } = options;
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1) {
    throw argumentError("maxTokens", "an integer of at least 1", maxTokens);
  }
  samplingSettings(options);
  createStopFilter(options.stop ?? []);
  const { info, model, dispose } = await openModel(path, options);
  try {
    const tokens = promptTokens(model, prompt);
    const trained = modelValues(info).count("context_length") ?? Infinity;
    if (tokens.length >= trained) {
      const expected = `a text of fewer than ${trained} tokens, which the model was trained for`;
      throw argumentError("prompt", expected, `one of ${tokens.length}`);
    }
    const limit = Math.min(maxTokens, trained - tokens.length);
    const context = await model.createContext(tokens.length + limit);
    yield* writeText(model, context, tokens, tokens, { ...options, maxTokens: limit });
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

/**
 * The text that follows `tokens`, which the context has not read yet, piece by piece.
 *
 * @param before all tokens of the sequence, `tokens` included.
 * @param onToken is told every token that is part of the sequence from now on.
 */
export async function* writeText(
  model: LoadedModel,
  context: EngineContext,
  tokens: readonly number[],
  before: readonly number[],
  options: Omit<GenerateOptions, "maxTokens"> & { readonly maxTokens: number },
  onToken: (token: number) => void = () => undefined,
): AsyncGenerator<string, void, undefined> {
  const decoder = model.decoder(before);
  const filter = createStopFilter(options.stop ?? []);
  const written = context.generate(tokens, options, false)[Symbol.asyncIterator]();
  for (let count = 0; count < options.maxTokens; count += 1) {
    const next = await abortable(written.next(), options.signal);
    if (next.done === true) break;
    onToken(next.value);
    const { text, stopped } = filter.push(decoder.push(next.value));
    if (text !== "") yield text;
    if (stopped) return;
  }
  const rest = filter.push(decoder.end()).text + filter.end();
  if (rest !== "") yield rest;
}
