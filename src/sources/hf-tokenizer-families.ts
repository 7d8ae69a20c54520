/** Where families differ in what they take from a directory's tokenizer files; the rest is alike for all. */
export interface TokenizerFamily {
  /** tokenizer.model counts, where there is one, before tokenizer.json. */
  readonly prefersSentencePiece?: true;
  /** tokenizer_config.json's add_prefix_space is `add_space_prefix`. */
  readonly readsPrefixSpace?: true;
  /** No space goes before a text, where the vocabulary is tokenizer.model's. */
  readonly hasNoPrefixSpace?: true;
  /** Only the files say what is a control token, not its text; tokenizer.json's added tokens count too. */
  readonly trustsFlags?: true;
  /** With this `tokenizer_class` the vocabulary is tokenizer.json's nevertheless. */
  readonly byteLevelClass?: string;
  /** The token that ends a turn, in vocabularies of `rows` (of any size without it). */
  readonly endOfTurn?: { readonly id: number; readonly rows?: number };
  /** In vocabularies of so many rows no BOS goes before a text, whatever the files say. */
  readonly withoutBosAt?: number;
}

const llama: TokenizerFamily = {
  prefersSentencePiece: true,
  readsPrefixSpace: true,
  // CodeLlama, and Granite's small code models.
  endOfTurn: { id: 32010, rows: 32016 },
  withoutBosAt: 49152,
};
const sentencePiece: TokenizerFamily = { prefersSentencePiece: true };
const gemma: TokenizerFamily = { prefersSentencePiece: true, hasNoPrefixSpace: true };
const phi3: TokenizerFamily = {
  prefersSentencePiece: true,
  trustsFlags: true,
  byteLevelClass: "GPT2Tokenizer",
};

/** By GGUF's architecture, from the set_vocab functions of upstream's converter. */
const families: Readonly<Record<string, TokenizerFamily>> = {
  llama,
  arcee: llama,
  granite: llama,
  granitemoe: llama,
  smollm3: llama,
  gemma: { ...gemma, endOfTurn: { id: 107 } },
  gemma2: gemma,
  gemma3: gemma,
  gemma3n: gemma,
  phi3,
  phimoe: phi3,
  qwen2: sentencePiece,
  qwen3: sentencePiece,
  deepseek: sentencePiece,
  baichuan: sentencePiece,
  minicpm: sentencePiece,
  orion: sentencePiece,
  xverse: sentencePiece,
};

/** What is particular about the tokenizer of an architecture. */
export function tokenizerFamily(architecture: string): TokenizerFamily {
  return Object.hasOwn(families, architecture) ? (families[architecture] ?? {}) : {};
}
