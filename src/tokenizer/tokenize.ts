import { openSource } from "../sources/open.js";
import { createTokenizer, type Tokenizer } from "./tokenizer.js";

export interface TokenizeOptions {
  /** BOS before the text and EOS behind it where the model wants them (default: true). */
  readonly addSpecial?: boolean | undefined;
  /** Text such as `<|eot|>` becomes the token of that name (default: true). */
  readonly parseSpecial?: boolean | undefined;
  /** llama.cpp's name of the pre-tokenizer, instead of the model's own. */
  readonly pre?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TokenizeReport {
  readonly tokens: readonly number[];
  /** Each token's text; bytes that are not whole characters as `<0xE2>`. */
  readonly pieces: readonly string[];
}

/**
 * The tokens of a text, as the model would read them. Only the model's headers are read.
 *
 * @param source a GGUF file or a Hugging Face directory.
 * @throws NibbleError as `inspect` and `createTokenizer`.
 */
export async function tokenize(
  source: string,
  text: string,
  { addSpecial = true, parseSpecial = true, pre, signal }: TokenizeOptions = {},
): Promise<TokenizeReport> {
  const model = await openSource(source, { pre, signal });
  const tokenizer = createTokenizer(model, { pre });
  signal?.throwIfAborted();
  const tokens = withEnds(tokenizer, tokenizer.encode(text, { special: parseSpecial }), addSpecial);
  return { tokens, pieces: tokens.map((id) => tokenizer.piece(id)) };
}

function withEnds(tokenizer: Tokenizer, ids: number[], addSpecial: boolean): number[] {
  const { bos, eos, addsBos, addsEos } = tokenizer;
  if (addSpecial && addsBos && bos !== undefined) ids.unshift(bos);
  if (addSpecial && addsEos && eos !== undefined) ids.push(eos);
  return ids;
}
