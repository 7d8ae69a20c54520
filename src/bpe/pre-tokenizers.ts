import * as ranges from "./character-ranges.js";
import { cutDigits } from "./cut-digits.js";

/** One pass over a text: what matches becomes a word, and so does every stretch between matches. */
export type Cut = RegExp | ((text: string) => readonly string[]);

/** How a byte-level tokenizer cuts text into words before it joins letters. */
export interface PreTokenizer {
  /** Values of `tokenizer.ggml.pre`. */
  readonly names: readonly string[];
  /** In order; each works on the words of the one before. */
  readonly cuts: readonly Cut[];
  /** A word that is a token is not built from merges. */
  readonly ignoresMerges?: true;
  /** BOS comes before a text unless the metadata say otherwise; "always": whatever they say. */
  readonly addsBos?: true | "always";
  /** Words are made of characters, not of bytes, and what is missing falls back to tokens such as `<0xE2>`. */
  readonly isCharacterLevel?: true;
  /** Spaces are written as U+2581. */
  readonly escapesSpaces?: true;
  /** A word of line breaks that is a token is not built from merges. */
  readonly keepsLineBreaks?: true;
}

/** `\s` and `\S` are Unicode's White_Space: JavaScript's own take in U+FEFF and leave out U+0085. */
function regex(...alternatives: readonly string[]): RegExp {
  const source = alternatives
    .join("|")
    .replaceAll("\\s", "\\p{White_Space}")
    .replaceAll("\\S", "\\P{White_Space}");
  return new RegExp(source, "gu");
}

const raw = String.raw;

const spaces = [raw`\s+(?!\S)`, raw`\s+`];
const linesAndSpaces = [raw`\s*[\r\n]+`, ...spaces];
const symbols = raw` ?[^\s\p{L}\p{N}]+[\r\n]*`;
const symbolsAndSlash = raw` ?[^\s\p{L}\p{N}]+[\r\n/]*`;
/** Both cases spelt out: the flag `i` would let U+017F pass for an s. */
const contraction = "'(?:[sStTmMdD]|[lL][lL]|[vV][eE]|[rR][eE])";
/** What may stand right before a word and belongs to it. */
const lead = raw`[^\r\n\p{L}\p{N}]?`;

const gpt2 = regex(
  "'(?:[stmd]|ll|ve|re)",
  raw` ?\p{L}+`,
  raw` ?\p{N}+`,
  raw` ?[^\s\p{L}\p{N}]+`,
  ...spaces,
);

/** The pattern that began with Llama 3, with its usual variations. */
function modern(word: string, digits: string, ending: readonly string[] = linesAndSpaces): RegExp {
  return regex(contraction, lead + word, digits, symbols, ...ending);
}

const llama3 = modern(raw`\p{L}+`, raw`\p{N}{1,3}`);
const qwen2 = modern(raw`\p{L}+`, raw`\p{N}`);
const digits = regex(raw`\p{N}+`);
const digitGroups: Cut = (text) => cutDigits(text, digits, "behind");
const digit = regex(raw`\p{N}`);
const threeDigits = regex(raw`\p{N}{1,3}`);
const lines = regex(raw`[^\n]+`, raw`\n+`);

/** As in gpt-4o: capitals, then small letters. A letter beyond ASCII counts as either. */
function cased(letter: string, digits: string, suffix: string): RegExp {
  const upper = `(?:(?![a-z])${letter})`;
  const lower = `(?:(?![A-Z])${letter})`;
  return regex(
    `${lead}${upper}*${lower}+${suffix}`,
    `${lead}${upper}+${lower}*${suffix}`,
    digits,
    symbolsAndSlash,
    ...linesAndSpaces,
  );
}

const optionalContraction = `(?:${contraction})?`;
const gpt4o = cased(raw`\p{L}`, raw`\p{N}{1,3}`, optionalContraction);

/** llama.cpp takes all letters for either case here, unlike the models' own tokenizers. */
function uncased(digits: string): RegExp {
  const word = raw`${lead}[\p{L}\p{M}]+${optionalContraction}`;
  return regex(word, digits, symbolsAndSlash, ...linesAndSpaces);
}

const punctuatedWords = regex(
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+",
  raw`[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+`,
  raw` ?[\p{P}\p{S}]+[\r\n]*`,
  ...linesAndSpaces,
);

const deepseekCjk = regex(`[${ranges.deepseekCjk}]+`);
const cjkAndKana = regex(`[${ranges.cjkAndKana}]+`);

/** Sentences, in the tokenizers of the BLOOM family. */
const bloom = regex(raw` ?[^(\s|${ranges.sentenceEnds})]+`);

/**
 * Every pre-tokenizer that llama.cpp names. What a name means is llama.cpp's to say, also where a model's own
 * tokenizer does it otherwise.
 */
export const preTokenizers: readonly PreTokenizer[] = [
  {
    names: [
      "llama-bpe",
      "llama3",
      "llama-v3",
      "falcon3",
      "falcon-h1",
      "pixtral",
      "midm-2.0",
    ].concat("lfm2", "jina-v5-nano"),
    cuts: [llama3],
    ignoresMerges: true,
    addsBos: true,
  },
  { names: ["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"], cuts: [llama3] },
  {
    names: [
      "gpt-2",
      "phi-2",
      "mpt",
      "olmo",
      "jais",
      "trillion",
      "granite-docling",
      "exaone4",
    ].concat(
      ["jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "jina-v2-code"],
      ["roberta-bpe", "gigachat", "a.x-4.0", "mellum", "modern-bert"],
    ),
    cuts: [gpt2],
  },
  {
    names: [
      "starcoder",
      "refact",
      "command-r",
      "smollm",
      "codeshell",
      "exaone",
      "minerva-7b",
    ].concat("mellum2"),
    cuts: [digit, gpt2],
  },
  {
    names: [
      "qwen2",
      "deepseek-r1-qwen",
      "kormo",
      "f2llmv2",
      "megrez",
      "stablelm2",
      "hunyuan",
    ].concat("solar-open", "grok-2"),
    cuts: [qwen2],
  },
  {
    names: ["qwen35"],
    cuts: [
      regex(
        contraction,
        raw`${lead}[\p{L}\p{M}]+`,
        raw`\p{N}`,
        raw` ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*`,
        ...linesAndSpaces,
      ),
    ],
  },
  {
    names: ["seed-coder"],
    cuts: [
      regex(
        contraction,
        raw`${lead}\p{L}+`,
        raw`\p{N}`,
        raw` ?[^\s\p{L}\p{N}\r\n]+`,
        ...linesAndSpaces,
      ),
    ],
  },
  {
    names: ["bailingmoe", "bailingmoe2", "llada-moe"],
    cuts: [modern(raw`\p{L}+`, raw`\p{N}`, [raw`\s*[\r\n]`, ...spaces])],
  },
  {
    names: ["jais-2"],
    cuts: [
      modern(raw`\p{L}+`, raw`\p{N}{1,3}`, [
        raw`\s*[\r\n]+`,
        ...[512, 256, 128, 64, 32, 16, 8, 4].map((count) => raw`\s{${count}}(?!\S)`),
        raw`\s{1,2}(?!\S)`,
        raw`\s`,
      ]),
    ],
  },
  {
    names: ["exaone-moe"],
    cuts: [
      regex(
        contraction,
        raw`${lead}(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+`,
        raw`\p{N}`,
        raw` ?[^\s\p{L}\p{N}]+[\r\n/]?`,
        raw`\s*[\r\n]`,
        ...spaces,
      ),
    ],
  },
  {
    names: ["minicpm5"],
    cuts: [threeDigits, modern(raw`\p{L}+`, raw`\p{N}+`)],
    ignoresMerges: true,
  },
  { names: ["laguna"], cuts: [lines, qwen2] },
  {
    names: ["tekken"],
    cuts: [cased(raw`\p{L}`, raw`\p{N}`, "")],
    ignoresMerges: true,
    addsBos: true,
  },
  { names: ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], cuts: [gpt4o] },
  {
    names: ["granite-embed-multi-97m"],
    cuts: [cased(raw`[\p{L}\p{M}]`, raw`\p{N}{1,3}`, optionalContraction)],
    ignoresMerges: true,
  },
  {
    names: ["tiny_aya", "cohere2moe"],
    cuts: [digitGroups, uncased(raw`\p{N}{1,3}`)],
  },
  {
    names: ["youtu"],
    cuts: [
      regex(
        `[${ranges.hangul}]+`,
        `[${ranges.cjkPunctuation}]+`,
        `[${ranges.bopomofo}]+`,
        `[${ranges.cjkAndKana}]+`,
      ),
      uncased(raw`\p{N}`),
    ],
    ignoresMerges: true,
  },
  {
    names: ["deepseek-llm"],
    cuts: [
      regex(raw`[\r\n]`),
      regex(raw`\s?[${ranges.deepseekLetters}]+`),
      regex(raw`\s?[${ranges.deepseekPunctuation}]+`),
      // The look behind keeps the search linear in a long run of spaces; it changes no match.
      regex(raw`(?<!\s)\s+$`),
      deepseekCjk,
      digits,
    ],
  },
  {
    names: ["deepseek-coder"],
    cuts: [regex(raw`[\r\n]`), regex(raw`\s?\p{L}+`), regex(raw`\s?\p{P}+`), deepseekCjk, digit],
  },
  {
    names: ["deepseek-v3", "hunyuan-dense", "joyai-llm"],
    cuts: [threeDigits, cjkAndKana, punctuatedWords],
  },
  {
    names: ["afmoe"],
    cuts: [digitGroups, regex(`[${ranges.afmoeScripts}]+`), punctuatedWords],
  },
  {
    names: ["kimi-k2"],
    cuts: [
      regex(
        `[${ranges.ideographs}]+`,
        raw`${lead}(?:(?![${ranges.ideographs}])\p{L})+${optionalContraction}`,
        raw`\p{N}{1,3}`,
        symbols,
        ...linesAndSpaces,
      ),
    ],
  },
  {
    names: ["falcon"],
    cuts: [regex("[\\p{P}$+<=>^~|`]+"), gpt2, regex("[0-9][0-9][0-9]")],
  },
  {
    names: ["chameleon"],
    cuts: [
      regex("<sentinel:[0-9]+>"),
      regex("IMGIMG[A-I]{1,4}Z"),
      regex(raw`[\t\n]|    |  `),
      digit,
      regex("[\\p{P}!-/:-@\\[-`{-~]"),
      gpt2,
    ],
    addsBos: true,
  },
  {
    names: ["superbpe"],
    cuts: [digits, (text) => cutDigits(text, /[0-9]+/g, "before")],
  },
  { names: ["bloom", "gpt3-finnish", "poro-chat"], cuts: [bloom] },
  { names: ["viking"], cuts: [bloom, digit] },
  {
    names: ["gemma4", "granite-embed-multi-311m"],
    cuts: [lines],
    addsBos: "always",
    isCharacterLevel: true,
    escapesSpaces: true,
    keepsLineBreaks: true,
  },
  { names: ["sarvam-moe"], cuts: [lines], isCharacterLevel: true, escapesSpaces: true },
  { names: ["whitespace"], cuts: [regex(raw`\S+`)], isCharacterLevel: true },
  {
    names: ["default"],
    cuts: [regex("[\\p{P}$+<=>^~|]+"), gpt2, digits, regex("[0-9][0-9][0-9]")],
  },
];

/** The pre-tokenizer of that name. */
export function findPreTokenizer(name: string): PreTokenizer | undefined {
  return preTokenizers.find(({ names }) => names.includes(name));
}
