import { looksSpecial, type AddedToken } from "./hf-added-tokens.js";
import { padding, tokenType, type HfVocabulary, type Token } from "./hf-vocabulary.js";
import { pieceType, type SentencePieceModel } from "./sentencepiece-model.js";

/** What lies on top of a SentencePiece model's own pieces. */
export interface SentencePieceAdditions {
  /** added_tokens.json. */
  readonly file: readonly AddedToken[];
  /** tokenizer_config.json's added_tokens_decoder. */
  readonly decoder: readonly AddedToken[];
  /** tokenizer.json's added_tokens, which upstream takes for Phi-3 alone. */
  readonly tokenizer: readonly AddedToken[];
  /** Whether only the files say what is a control token, not also its text. Phi-3's way. */
  readonly trustsFlags: boolean;
}

const addedScore = -1000;
const paddingScore = -10000;
/** Upstream takes pieces that the training was given for normal ones. */
const typeOfPiece: Readonly<Record<number, number>> = {
  [pieceType.normal]: tokenType.normal,
  [pieceType.userDefined]: tokenType.normal,
  [pieceType.unknown]: tokenType.unknown,
  [pieceType.control]: tokenType.control,
  [pieceType.unused]: tokenType.unused,
  [pieceType.byte]: tokenType.byte,
};

/**
 * The vocabulary of a SentencePiece model, with the tokens that were added to it.
 *
 * @param rows of the embedding: tokens beyond it are left out, and missing ones are filled up, as upstream does.
 */
export function sentencePieceVocabulary(
  model: SentencePieceModel,
  additions: SentencePieceAdditions,
  rows: number,
): HfVocabulary {
  const tokens: Token[] = Array.from({ length: rows }, (_, id) => ({
    ...padding(id),
    score: paddingScore,
  }));
  model.pieces.slice(0, rows).forEach(({ text, score, type }, id) => {
    tokens[id] = { text, score, type: typeOfPiece[type] ?? tokenType.normal };
  });
  const set = (id: number, text: string, type: number): void => {
    if (id < rows) tokens[id] = { text, type, score: addedScore };
  };
  for (const { id, content } of additions.file) set(id, content, tokenType.userDefined);
  for (const { id, content, special } of additions.decoder) {
    if (special || (!additions.trustsFlags && looksSpecial(content))) {
      set(id, content, tokenType.control);
    } else {
      const text = additions.trustsFlags ? content : content.replaceAll("\u2581", " ");
      set(id, text, tokenType.userDefined);
    }
  }
  for (const { id, content, special } of additions.tokenizer) {
    set(id, content, special ? tokenType.control : tokenType.userDefined);
  }
  return { model: "llama", pre: "default", tokens };
}
