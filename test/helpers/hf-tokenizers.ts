import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MetadataEntry } from "../../src/sources/model-info.js";
import { openSource } from "../../src/sources/open.js";
import { buildSentencePiece } from "./sentencepiece-builder.js";
import { sharedData } from "./shared-data.js";
import { tiktokenVocabulary } from "./vocabularies.js";

/** A real tokenizer in a form that Hugging Face directories have. */
export interface HfTokenizer {
  readonly name: string;
  /** GGUF's. */
  readonly architecture: string;
  /** Of `ggml-vocab-<vectors>.gguf.inp` and `.out`. */
  readonly vectors?: string;
  readonly rows: number;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

type Json = Readonly<Record<string, unknown>>;
interface Added {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
}

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
const bytesOnly = { ...byteLevel, use_regex: false };
const splitAt = (regex: string): Json => ({
  ...{ type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false },
});
const sequence = (...pretokenizers: Json[]): Json => ({ type: "Sequence", pretokenizers });
const digits = { type: "Digits", individual_digits: true };
const raw = String.raw;

const llama3Regex = raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const qwen2Regex = llama3Regex.replace("{1,3}", "");

/** The real pre-tokenizers of the models whose vocabularies the shared data have, as their tokenizer.json states them. */
const pipelines: Readonly<Record<string, { pre: Json; normalizer?: Json }>> = {
  "gpt-2": { pre: byteLevel },
  starcoder: { pre: sequence(digits, byteLevel) },
  falcon: {
    pre: sequence(
      { type: "Punctuation", behavior: "Contiguous" },
      byteLevel,
      { type: "Digits", individual_digits: false },
      splitAt("[0-9][0-9][0-9]"),
    ),
  },
  mpt: { pre: byteLevel, normalizer: { type: "NFC" } },
  "deepseek-coder": {
    pre: sequence(
      splitAt("[\r\n]"),
      splitAt(raw`\s?\p{L}+`),
      splitAt(raw`\s?\p{P}+`),
      splitAt("[一-龥ࠀ-一가-퟿]+"),
      digits,
      bytesOnly,
    ),
  },
};

const configOf = (values: Json): string => JSON.stringify(values);

type Make = () => HfTokenizer | Promise<HfTokenizer>;

/** Every real tokenizer of the shared data in its Hugging Face form. */
export const realTokenizers: Readonly<Record<string, Make>> = {
  "gpt-2": () => fromGguf("gpt-2", "gpt2", "GPT2LMHeadModel"),
  starcoder: () => fromGguf("starcoder", "starcoder2", "Starcoder2ForCausalLM"),
  falcon: () => fromGguf("falcon", "falcon", "FalconForCausalLM"),
  mpt: () => fromGguf("mpt", "mpt", "MPTForCausalLM"),
  "deepseek-coder": () => fromGguf("deepseek-coder", "llama", "LlamaForCausalLM"),
  "gpt-2-lists": () => gpt2Lists(),
  "llama-bpe": () => llama3(),
  "llama-bpe-list": () => llama3List(),
  "llama-spm": () => llama2(),
  "llama-spm-json": () => llama2Json(),
  "phi-3": () => phi3(),
};

/** Made-up ones over the same tokens, for what families do besides. */
export const likeTokenizers: Readonly<Record<string, Make>> = {
  "gemma-like": () => gemmaLike("gemma"),
  "gemma2-like": () => gemmaLike("gemma2"),
  "codellama-like": () => codeLlamaLike(),
  "qwen2-like": () => qwen2Like(),
};

async function fromGguf(name: string, architecture: string, model: string): Promise<HfTokenizer> {
  const { tokens, types, merges, values } = await vocabularyOf(name);
  const added = tokens.flatMap((content, id): Added[] =>
    (types[id] === 3 || types[id] === 4) && !content.startsWith("[PAD")
      ? [{ id, content, special: types[id] === 3, normalized: types[id] === 4 }]
      : [],
  );
  const { pre, normalizer = null } = pipelines[name] ?? { pre: byteLevel };
  const textOf = (key: string): string | undefined => tokens[Number(values.get(key))];
  return {
    name,
    architecture,
    vectors: name,
    rows: tokens.length,
    files: {
      "config.json": configOf({
        architectures: [model],
        vocab_size: tokens.length,
        model_type: architecture,
        bos_token_id: values.get("bos_token_id"),
        eos_token_id: values.get("eos_token_id"),
      }),
      "tokenizer.json": JSON.stringify({
        version: "1.0",
        added_tokens: added.map(describeAdded),
        normalizer,
        pre_tokenizer: pre,
        post_processor:
          values.get("add_bos_token") === true
            ? templateOf(textOf("bos_token_id") ?? "", values.get("bos_token_id"))
            : byteLevel,
        decoder: byteLevel,
        model: {
          type: "BPE",
          vocab: idsOf(tokens.filter((text) => !text.startsWith("[PAD"))),
          merges,
        },
      }),
      "tokenizer_config.json": configOf({
        tokenizer_class: "PreTrainedTokenizerFast",
        bos_token: textOf("bos_token_id"),
        eos_token: textOf("eos_token_id"),
      }),
    },
  };
}

function describeAdded({ id, content, special, normalized }: Added): Json {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized, special };
}

function idsOf(tokens: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

/** The post-processor that puts BOS before each text. */
function templateOf(bos: string, id: unknown): Json {
  const special = (type_id: number): Json => ({ SpecialToken: { id: bos, type_id } });
  const text = (name: string, type_id: number): Json => ({ Sequence: { id: name, type_id } });
  return {
    type: "TemplateProcessing",
    single: [special(0), text("A", 0)],
    pair: [special(0), text("A", 0), special(1), text("B", 1)],
    special_tokens: { [bos]: { id: bos, ids: [id], tokens: [bos] } },
  };
}

/** Llama 3's special tokens, as tokenizer_config.json lists them. */
const llama3Specials = Array.from({ length: 256 }, (_, i) => {
  const texts: Readonly<Record<number, string>> = {
    0: "<|begin_of_text|>",
    1: "<|end_of_text|>",
    4: "<|finetune_right_pad_id|>",
    6: "<|start_header_id|>",
    7: "<|end_header_id|>",
    8: "<|eom_id|>",
    9: "<|eot_id|>",
    10: "<|python_tag|>",
  };
  const before = Object.keys(texts).filter((key) => Number(key) < i).length;
  const content = texts[i] ?? `<|reserved_special_token_${i - before}|>`;
  return { id: 128000 + i, content, special: true, normalized: false };
});

const llama3Config = configOf({
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 128256,
  bos_token_id: 128000,
  eos_token_id: [128001, 128008, 128009],
});

const llama3Ranks = "tokenizers/llama3-tiktoken/tokenizer.model";

/** A byte-level tokenizer.json with Llama 3's tokens. */
function llama3(): HfTokenizer {
  const { metadata } = tiktokenVocabulary(sharedData(llama3Ranks));
  const valueOf = (key: string): readonly string[] =>
    metadata.find((entry) => entry.key === `tokenizer.ggml.${key}`)?.value as string[];
  const bos = "<|begin_of_text|>";
  return {
    name: "llama-bpe",
    architecture: "llama",
    vectors: "llama-bpe",
    rows: 128256,
    files: {
      "config.json": llama3Config,
      "tokenizer.json": JSON.stringify({
        version: "1.0",
        added_tokens: llama3Specials.map(describeAdded),
        normalizer: null,
        pre_tokenizer: sequence(splitAt(llama3Regex), bytesOnly),
        post_processor: { type: "Sequence", processors: [byteLevel, templateOf(bos, 128000)] },
        decoder: byteLevel,
        model: {
          type: "BPE",
          vocab: idsOf(valueOf("tokens")),
          merges: valueOf("merges").map((merge) => merge.split(" ")),
          ignore_merges: true,
        },
      }),
      "tokenizer_config.json": configOf({
        tokenizer_class: "PreTrainedTokenizerFast",
        bos_token: bos,
        eos_token: "<|eot_id|>",
        chat_template:
          "{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}",
      }),
    },
  };
}

function llama3List(): HfTokenizer {
  return {
    name: "llama-bpe-list",
    architecture: "llama",
    vectors: "llama-bpe",
    rows: 128256,
    files: {
      "config.json": llama3Config,
      "tokenizer.model": readFileSync(sharedData(llama3Ranks)),
    },
  };
}

const llama2Config = configOf({
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 32000,
  bos_token_id: 1,
  eos_token_id: 2,
});
const addedToken = (content: string): Json => ({
  ...{ __type: "AddedToken", content, lstrip: false, normalized: false, rstrip: false },
  single_word: false,
});
const llama2TokenizerConfig = {
  tokenizer_class: "LlamaTokenizer",
  add_bos_token: true,
  add_eos_token: false,
  bos_token: addedToken("<s>"),
  eos_token: addedToken("</s>"),
  unk_token: addedToken("<unk>"),
  legacy: false,
};

function llama2(): HfTokenizer {
  return {
    name: "llama-spm",
    architecture: "llama",
    vectors: "llama-spm",
    rows: 32000,
    files: {
      "config.json": llama2Config,
      "tokenizer.model": readFileSync(sharedData("tokenizers/llama2-spm/tokenizer.model")),
      "tokenizer_config.json": configOf(llama2TokenizerConfig),
    },
  };
}

/** As transformers converts a SentencePiece model: every way to make a piece of two is a merge, by the piece's score. */
async function llama2Json(): Promise<HfTokenizer> {
  const { tokens, types, scores } = await vocabularyOf("llama-spm");
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges = tokens.flatMap((token, id) => {
    if (types[id] !== 1) return [];
    const cuts = Array.from({ length: Math.max(token.length - 1, 0) }, (_, i) => i + 1);
    const pairs = cuts
      .map((cut) => [token.slice(0, cut), token.slice(cut)] as const)
      .filter(([left, right]) => ids.has(left) && ids.has(right));
    return pairs.map(([left, right]) => ({ merge: `${left} ${right}`, score: scores[id] ?? 0 }));
  });
  const added = ["<unk>", "<s>", "</s>"].map((content, id) =>
    describeAdded({ id, content, special: true, normalized: false }),
  );
  return {
    name: "llama-spm-json",
    architecture: "llama",
    vectors: "llama-spm",
    rows: 32000,
    files: {
      "config.json": llama2Config,
      "tokenizer.json": JSON.stringify({
        added_tokens: added,
        normalizer: {
          type: "Sequence",
          normalizers: [
            { type: "Prepend", prepend: "\u2581" },
            { type: "Replace", pattern: { String: " " }, content: "\u2581" },
          ],
        },
        pre_tokenizer: null,
        decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }] },
        model: {
          type: "BPE",
          byte_fallback: true,
          fuse_unk: true,
          vocab: idsOf(tokens),
          merges: merges.sort((a, b) => b.score - a.score).map(({ merge }) => merge),
        },
      }),
      "tokenizer_config.json": configOf(llama2TokenizerConfig),
    },
  };
}

/** CodeLlama's 16 tokens more, with an added_tokens.json and a space before each text that is switched off. */
async function codeLlamaLike(): Promise<HfTokenizer> {
  const plain = llama2();
  return {
    ...{ name: "codellama-like", architecture: "llama", rows: 32016 },
    files: {
      ...plain.files,
      "config.json": configOf({
        architectures: ["LlamaForCausalLM"],
        model_type: "llama",
        vocab_size: 32016,
        bos_token_id: 1,
        eos_token_id: 2,
      }),
      "added_tokens.json": configOf({ "\u2581<PRE>": 32000, "\u2581<MID>": 32001, far: 99999 }),
      "tokenizer_config.json": configOf({
        ...llama2TokenizerConfig,
        add_prefix_space: false,
        added_tokens_decoder: {
          2: { content: "</s>", special: true },
          32001: { content: "\u2581<MID>", special: false },
          32002: { content: "\u2581<EOT>", special: true },
          40000: { content: "beyond", special: true },
        },
      }),
      "chat_template.json": configOf({ chat_template: "{{ json }}" }),
    },
  };
}

/** The pieces of a vocabulary that came from a SentencePiece model, as that had them. */
async function piecesOf(name: string, count: number) {
  const { tokens, scores } = await vocabularyOf(name);
  return tokens.slice(0, count).map((text, id) => {
    const isByte = /^<0x[0-9A-F]{2}>$/.test(text);
    return { text, score: id < 3 ? 0 : (scores[id] ?? 0), type: [2, 3, 3][id] ?? (isByte ? 6 : 1) };
  });
}

async function phi3(): Promise<HfTokenizer> {
  const { tokens, types } = await vocabularyOf("phi-3");
  const own = [0, 1, 2, ...Array.from({ length: 11 }, (_, i) => 32000 + i)];
  const decoder = own.map((id) => {
    const special = types[id] === 3;
    return [id, { content: tokens[id], special, normalized: false, rstrip: id > 32000 }] as const;
  });
  return {
    name: "phi-3",
    architecture: "phi3",
    vectors: "phi-3",
    rows: tokens.length,
    files: {
      "config.json": configOf({
        architectures: ["Phi3ForCausalLM"],
        model_type: "phi3",
        vocab_size: tokens.length,
        bos_token_id: 1,
        eos_token_id: 32000,
        pad_token_id: 32000,
      }),
      "tokenizer.model": buildSentencePiece({ pieces: await piecesOf("phi-3", 32000) }),
      "added_tokens.json": configOf(
        Object.fromEntries(own.slice(3).map((id) => [tokens[id] ?? "", id] as const)),
      ),
      "tokenizer_config.json": configOf({
        ...llama2TokenizerConfig,
        added_tokens_decoder: Object.fromEntries(decoder),
        eos_token: "<|endoftext|>",
        pad_token: "<|endoftext|>",
        chat_template:
          "{% for message in messages %}<|user|>{{ message.content }}<|end|>{% endfor %}",
      }),
    },
  };
}

/** Gemma's way: no space before a text, control tokens that are not marked as such, a row more than pieces. */
async function gemmaLike(architecture: string): Promise<HfTokenizer> {
  const pieces = await piecesOf("llama-spm", 4000);
  const decoder = {
    0: { content: "<unk>", special: true },
    1: { content: "<bos>", special: true },
    2: { content: "<eos>", special: true },
    300: { content: "<unused1>", special: false },
    301: { content: "<start_of_turn>", special: false },
    302: { content: "\u2581\u2581", special: false },
  };
  return {
    name: `${architecture}-like`,
    architecture,
    rows: 4001,
    files: {
      "config.json": configOf({
        architectures: [`${architecture.replace("g", "G")}ForCausalLM`],
        model_type: architecture,
        vocab_size: 4001,
        bos_token_id: 1,
        eos_token_id: 2,
        pad_token_id: 0,
      }),
      "tokenizer.model": buildSentencePiece({ pieces, addDummyPrefix: false }),
      "tokenizer_config.json": configOf({
        tokenizer_class: "GemmaTokenizer",
        add_bos_token: true,
        add_eos_token: false,
        bos_token: "<bos>",
        eos_token: "<eos>",
        pad_token: "<pad>",
        added_tokens_decoder: decoder,
        chat_template: [
          { name: "default", template: "D" },
          { name: "tool use", template: "T" },
        ],
      }),
    },
  };
}

/** Qwen 2's way, over GPT-2's tokens: NFC, digits one by one, tools' tokens that are not special. */
async function qwen2Like(): Promise<HfTokenizer> {
  const gpt2 = await fromGguf("gpt-2", "qwen2", "Qwen2ForCausalLM");
  const { tokens, merges } = await vocabularyOf("gpt-2");
  const texts = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<tool_call>",
    "</tool_call>",
    "<pad>",
  ];
  const added = texts.map((content, i) =>
    describeAdded({ id: 50256 + i, content, special: i < 3, normalized: false }),
  );
  return {
    ...{ name: "qwen2-like", architecture: "qwen2", rows: 50264 },
    files: {
      "config.json": configOf({
        architectures: ["Qwen2ForCausalLM"],
        model_type: "qwen2",
        vocab_size: 50264,
        bos_token_id: 50256,
        eos_token_id: 50258,
      }),
      "tokenizer.json": JSON.stringify({
        ...(JSON.parse(String(gpt2.files["tokenizer.json"])) as Json),
        added_tokens: added,
        normalizer: { type: "NFC" },
        pre_tokenizer: sequence(splitAt(qwen2Regex), bytesOnly),
        model: { type: "BPE", vocab: idsOf(tokens), merges: merges.map((one) => one.split(" ")) },
      }),
      "tokenizer_config.json": configOf({
        tokenizer_class: "PreTrainedTokenizerFast",
        add_prefix_space: false,
        add_bos_token: false,
        added_tokens_decoder: Object.fromEntries(added.map((one) => [one["id"], one])),
        bos_token: null,
        eos_token: "<|im_end|>",
        pad_token: "<|endoftext|>",
      }),
      "chat_template.jinja": "{{ messages[0].content }}<|im_end|>",
    },
  };
}

/** Writes a tokenizer's files. */
export function writeTokenizer(folder: string, { files }: HfTokenizer): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

interface GgufVocabulary {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly scores: readonly number[];
  readonly merges: readonly string[];
  readonly values: ReadonlyMap<string, MetadataEntry["value"]>;
}

async function vocabularyOf(name: string): Promise<GgufVocabulary> {
  const { metadata } = await openSource(sharedData(`vocab/ggml-vocab-${name}.gguf`));
  const values = new Map(
    metadata.map(({ key, value }) => [key.replace("tokenizer.ggml.", ""), value]),
  );
  return {
    tokens: values.get("tokens") as string[],
    types: values.get("token_type") as number[],
    scores: (values.get("scores") ?? []) as number[],
    merges: (values.get("merges") ?? []) as string[],
    values,
  };
}

function gpt2Lists(): HfTokenizer {
  return {
    name: "gpt-2-lists",
    architecture: "gpt2",
    vectors: "gpt-2",
    rows: 50257,
    files: {
      "config.json": configOf({
        architectures: ["GPT2LMHeadModel"],
        model_type: "gpt2",
        vocab_size: 50257,
        bos_token_id: 50256,
        eos_token_id: 50256,
      }),
      "tokenizer_config.json": configOf({
        tokenizer_class: "GPT2Tokenizer",
        model_max_length: 1024,
      }),
      "vocab.json": readFileSync(sharedData("tokenizers/gpt2/vocab.json")),
      "merges.txt": readFileSync(sharedData("tokenizers/gpt2/merges.txt")),
    },
  };
}
