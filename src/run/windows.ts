import { argumentError } from "../errors.js";
import type { ModelInfo } from "../sources/model-info.js";
import type { LoadedModel } from "./engine.js";
import { modelValues } from "./model-values.js";

/** A text in pieces of the same number of tokens; a rest is left out. */
export interface Windows {
  readonly contextLength: number;
  readonly windows: readonly (readonly number[])[];
}

export interface WindowOptions {
  readonly text: string;
  /** Tokens in a window, at least 4; 512 by default. */
  readonly contextLength?: number | undefined;
  /** Windows at most; all by default. */
  readonly chunks?: number | undefined;
}

/**
 * Cuts a text by llama.cpp's protocol: into windows of `contextLength` tokens, with BOS in place of the first token where
 * the model wants BOS.
 *
 * @throws NibbleError ERR_ARGUMENT where the text fills no window, or the window is longer than what the model was
 * trained for.
 */
export function cutWindows(info: ModelInfo, model: LoadedModel, options: WindowOptions): Windows {
  const contextLength = atLeast("contextLength", options.contextLength ?? 512, 4);
  const limit = atLeast("chunks", options.chunks ?? Number.MAX_SAFE_INTEGER, 1);
  const trained = modelValues(info).count("context_length") ?? Infinity;
  if (contextLength > trained) {
    const expected = `at most ${trained}, the model's own`;
    throw argumentError("contextLength", expected, contextLength);
  }
  const bos = model.addsBos ? model.bos : undefined;
  const tokens = model.tokenize(options.text, false);
  if (bos !== undefined) tokens.unshift(bos);
  const count = Math.min(limit, Math.floor(tokens.length / contextLength));
  if (count === 0) {
    const expected = `a text of at least ${contextLength} tokens, or a smaller context`;
    throw argumentError("text", expected, `one of ${tokens.length}`);
  }
  const windows = Array.from({ length: count }, (_, i) => {
    const window = tokens.slice(i * contextLength, (i + 1) * contextLength);
    if (bos !== undefined) window[0] = bos;
    return window;
  });
  return { contextLength, windows };
}

/** An option that is a whole number of at least `least`. */
export function atLeast(option: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw argumentError(option, `an integer of at least ${least}`, value);
}
