// Writes a GGUF of random weights, to measure with and without downloads:
//   node scripts/make-random-model.mjs OUTPUT --shape tinyllama-1.1b | qwen2-0.5b [--layers N] [--type F32|F16]
//   node scripts/make-random-model.mjs OUTPUT [--rows N] [--columns N] [--layers N] [--type F32|F16]
// A shape is a whole model that every engine loads, of N layers where that is given; without one the file is an embedding
// (by default of 152064 x 8192) and as many square matrices as layers. Weights are a repeated megabyte of normal values,
// so that writing takes as long as the disk does. Needs `npm run build`.
import { closeSync, openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { bytesOf } from "../dist/formats.js";
import { ggufHeader } from "../dist/sources/gguf-writer.js";
import { weights } from "./random-weights.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shape: { type: "string" },
    rows: { type: "string", default: "152064" },
    columns: { type: "string", default: "8192" },
    layers: { type: "string" },
    type: { type: "string", default: "F16" },
  },
});

/** Real models; the vocabulary is made up. */
const shapes = {
  "tinyllama-1.1b": {
    architecture: "llama",
    ...{ width: 2048, layers: 22, heads: 32, kvHeads: 4, ffn: 5632, vocabulary: 32000 },
    ...{ context: 2048, ropeBase: 10000, ownOutput: true, biases: false },
    tokenizer: spmVocabulary,
  },
  "qwen2-0.5b": {
    architecture: "qwen2",
    ...{ width: 896, layers: 24, heads: 14, kvHeads: 2, ffn: 4864, vocabulary: 151936 },
    ...{ context: 32768, ropeBase: 1000000, ownOutput: false, biases: true },
    tokenizer: byteLevelVocabulary,
  },
};

const [output] = positionals;
const known = shapes[options.shape];
const shape = known && { ...known, layers: Number(options.layers ?? known.layers) };
if (
  output === undefined ||
  !["F32", "F16"].includes(options.type) ||
  (options.shape !== undefined && shape === undefined)
) {
  const names = Object.keys(shapes).join("|");
  console.error(
    `usage: make-random-model OUTPUT [--shape ${names}] [--rows N] [--columns N] [--layers N] [--type F32|F16]`,
  );
  process.exit(2);
}

const entry = (key, type, value) => ({ key, type, value });
const list = (key, elementType, value) => ({ key, type: "array", elementType, value });

function spmVocabulary(count) {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${hex(i)}>`);
  const words = Array.from({ length: count - 259 }, (_, i) => `\u2581w${i}`);
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...words];
  return [
    entry("tokenizer.ggml.model", "string", "llama"),
    list("tokenizer.ggml.tokens", "string", tokens),
    list(
      "tokenizer.ggml.scores",
      "f32",
      Array.from(tokens, (_, i) => -i),
    ),
    list(
      "tokenizer.ggml.token_type",
      "i32",
      Array.from(tokens, (_, i) => (i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1)),
    ),
    entry("tokenizer.ggml.bos_token_id", "u32", 1),
    entry("tokenizer.ggml.eos_token_id", "u32", 2),
    entry("tokenizer.ggml.add_bos_token", "bool", true),
  ];
}

function byteLevelVocabulary(count) {
  // GPT-2's letters for bytes, then words that no merge leads to, and the end of text.
  const plain = (i) => (i > 32 && i < 127) || (i > 160 && i !== 173);
  let others = 0;
  const letters = Array.from({ length: 256 }, (_, i) =>
    String.fromCharCode(plain(i) ? i : 256 + others++),
  );
  const words = Array.from({ length: count - 257 }, (_, i) => `w${i}`);
  const tokens = [...letters, ...words, "<|endoftext|>"];
  return [
    entry("tokenizer.ggml.model", "string", "gpt2"),
    entry("tokenizer.ggml.pre", "string", "qwen2"),
    list("tokenizer.ggml.tokens", "string", tokens),
    list(
      "tokenizer.ggml.token_type",
      "i32",
      Array.from(tokens, (_, i) => (i === count - 1 ? 3 : 1)),
    ),
    list("tokenizer.ggml.merges", "string", ["w 0"]),
    entry("tokenizer.ggml.eos_token_id", "u32", count - 1),
    entry("tokenizer.ggml.add_bos_token", "bool", false),
  ];
}

function hex(byte) {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

/** Metadata and tensors of a whole model; vectors are F32, as every converter has them. */
function wholeModel({ architecture, width, layers, heads, kvHeads, ffn, vocabulary, ...more }) {
  const key = (name) => `${architecture}.${name}`;
  const metadata = [
    entry("general.architecture", "string", architecture),
    entry("general.name", "string", `random ${options.shape}`),
    entry("general.size_label", "string", options.shape.split("-")[1].toUpperCase()),
    entry("general.file_type", "u32", options.type === "F32" ? 0 : 1),
    entry(key("block_count"), "u32", layers),
    entry(key("context_length"), "u32", more.context),
    entry(key("embedding_length"), "u32", width),
    entry(key("feed_forward_length"), "u32", ffn),
    entry(key("attention.head_count"), "u32", heads),
    entry(key("attention.head_count_kv"), "u32", kvHeads),
    entry(key("attention.layer_norm_rms_epsilon"), "f32", 1e-5),
    entry(key("rope.dimension_count"), "u32", width / heads),
    entry(key("rope.freq_base"), "f32", more.ropeBase),
    entry(key("vocab_size"), "u32", vocabulary),
    ...more.tokenizer(vocabulary),
  ];
  const keys = (width / heads) * kvHeads;
  const layer = [
    ["attn_norm.weight", width],
    ["attn_q.weight", width, width],
    ["attn_k.weight", width, keys],
    ["attn_v.weight", width, keys],
    ...(more.biases
      ? [
          ["attn_q.bias", width],
          ["attn_k.bias", keys],
          ["attn_v.bias", keys],
        ]
      : []),
    ["attn_output.weight", width, width],
    ["ffn_norm.weight", width],
    ["ffn_gate.weight", width, ffn],
    ["ffn_up.weight", width, ffn],
    ["ffn_down.weight", ffn, width],
  ];
  const tensors = [
    ["token_embd.weight", width, vocabulary],
    ...Array.from({ length: layers }, (_, i) =>
      layer.map(([name, ...lengths]) => [`blk.${i}.${name}`, ...lengths]),
    ).flat(),
    ["output_norm.weight", width],
    ...(more.ownOutput ? [["output.weight", width, vocabulary]] : []),
  ];
  return { metadata, tensors };
}

function matrices() {
  const [rows, columns, layers] = [options.rows, options.columns, options.layers ?? 0].map(Number);
  const tensors = [
    ["token_embd.weight", columns, rows],
    ...Array.from({ length: layers }, (_, i) => [`blk.${i}.ffn_up.weight`, columns, columns]),
  ];
  return { metadata: [entry("general.architecture", "string", "llama")], tensors };
}

const alignment = 32;
const { metadata, tensors } = shape === undefined ? matrices() : wholeModel(shape);
let end = 0;
const placed = tensors.map(([name, perRow, rows]) => {
  const type = rows === undefined ? "F32" : options.type;
  const bytes = bytesOf(type, perRow, rows ?? 1);
  const dataOffset = end;
  end += Math.ceil(bytes / alignment) * alignment;
  return { name, type, shape: rows === undefined ? [perRow] : [perRow, rows], dataOffset, bytes };
});
const matrixBlock = weights(options.type);
const vectorBlock = options.type === "F32" ? matrixBlock : weights("F32");
const ones = Buffer.from(new Float32Array(1 << 18).fill(1).buffer);
const file = openSync(output, "w");
writeSync(file, ggufHeader(metadata, placed, alignment));
for (const { name, shape: lengths, bytes } of placed) {
  const isNorm = name.endsWith("norm.weight");
  const block = isNorm ? ones : lengths.length === 1 ? vectorBlock : matrixBlock;
  const padded = Math.ceil(bytes / alignment) * alignment;
  for (let left = padded; left > 0; left -= block.length) {
    writeSync(file, block, 0, Math.min(block.length, left));
  }
}
closeSync(file);
