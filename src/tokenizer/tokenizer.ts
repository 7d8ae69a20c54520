import { tokenDecoder, type DecodeOptions, type Decoder } from "./decode.js";
import { bpeEncoder } from "./encode-bpe.js";
import { spmEncoder } from "./encode-spm.js";
import { makePartition } from "./partition.js";
import { readVocabulary, type TokenizerModel, type TokenizerSource } from "./vocabulary.js";

export type { DecodeOptions, Decoder } from "./decode.js";
export type { TokenizerModel, TokenizerSource } from "./vocabulary.js";

export interface TokenizerOptions {
  /** llama.cpp's name of a pre-tokenizer, instead of the one that the metadata name. */
  readonly pre?: string | undefined;
}

export interface EncodeOptions {
  /** Text such as `<|eot|>` becomes the token of that name. */
  readonly special: boolean;
}

/** Text to token ids and back, as llama.cpp does it. */
export interface Tokenizer {
  readonly model: TokenizerModel;
  /** Tokens in the vocabulary. */
  readonly size: number;
  /** The token that begins a text, if there is one. */
  readonly bos: number | undefined;
  /** The token that ends a text, if there is one. */
  readonly eos: number | undefined;
  /** Every token after which a model has nothing more to say. */
  readonly endOfText: ReadonlySet<number>;
  /** Whether the model wants BOS before every text. */
  readonly addsBos: boolean;
  /** Whether the model wants EOS behind every text. */
  readonly addsEos: boolean;
  /**
   * The ids of a text, without BOS and EOS. Lone surrogates count as U+FFFD.
   *
   * @throws NibbleError ERR_UNSUPPORTED where the vocabulary cannot write the text.
   */
  readonly encode: (text: string, options: EncodeOptions) => number[];
  /**
   * The text of tokens; what is not UTF-8 becomes U+FFFD.
   *
   * @throws NibbleError ERR_ARGUMENT for an id that there is not.
   */
  readonly decode: (ids: Iterable<number>, options?: DecodeOptions) => string;
  /** The same one token at a time, never cutting a character. */
  readonly decoder: (options?: DecodeOptions) => Decoder;
  /** A token as people may read it: its text, or bytes as `<0xE2>`. */
  readonly piece: (id: number) => string;
}

/**
 * The tokenizer that a model's metadata describe: SentencePiece-style (`llama`) and byte-level (`gpt2`) vocabularies. The
 * ids equal llama.cpp's, apart from characters that Unicode took in after the tables that either was built with.
 *
 * @throws NibbleError ERR_UNSUPPORTED for other kinds and unknown pre-tokenizers, ERR_FORMAT for damaged metadata,
 * ERR_ARGUMENT where `pre` is no pre-tokenizer.
 */
export function createTokenizer(
  source: TokenizerSource,
  { pre }: TokenizerOptions = {},
): Tokenizer {
  const vocabulary = readVocabulary(source, pre);
  const { model, size, bos, eos, endOfText, addsBos, addsEos, addsSpace } = vocabulary;
  const partition = makePartition(vocabulary);
  const encodeText = model === "spm" ? spmEncoder(vocabulary) : bpeEncoder(vocabulary);
  const { piece, decoder } = tokenDecoder(vocabulary);
  return {
    ...{ model, size, bos, eos, endOfText, addsBos, addsEos, piece, decoder },
    encode(text, { special }) {
      const ids: number[] = [];
      let isAfterToken = true;
      for (const fragment of partition(wellFormed(text), special)) {
        if (typeof fragment === "number") {
          ids.push(fragment);
        } else {
          // A loop: spread arguments would overflow the stack.
          const prefixed = addsSpace && isAfterToken ? ` ${fragment}` : fragment;
          for (const id of encodeText(prefixed)) ids.push(id);
        }
        isAfterToken = typeof fragment === "number";
      }
      return ids;
    },
    decode(tokens, options) {
      const stream = decoder(options);
      let text = "";
      for (const id of tokens) text += stream.push(id);
      return text + stream.end();
    },
  };
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
