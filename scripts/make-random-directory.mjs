// Writes a Hugging Face directory of random weights, in shards, to measure conversions without downloads:
//   node scripts/make-random-directory.mjs OUTPUT [--layers N] [--vocabulary N] [--type F32|F16|BF16] [--shard-mib N]
// A Llama as wide as TinyLlama (2048, feed-forward 5632): 44 million weights per layer, so that 32 layers are 3 GB.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { weights } from "./random-weights.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layers: { type: "string", default: "32" },
    vocabulary: { type: "string", default: "32000" },
    type: { type: "string", default: "BF16" },
    "shard-mib": { type: "string", default: "500" },
  },
});
const [output] = positionals;
const [layers, vocabulary, shardMib] = [
  options.layers,
  options.vocabulary,
  options["shard-mib"],
].map(Number);
const valueBytes = { F32: 4, F16: 2, BF16: 2 }[options.type];
if (output === undefined || valueBytes === undefined || !(layers > 0 && vocabulary > 10)) {
  console.error(
    "usage: make-random-directory OUTPUT [--layers N] [--vocabulary N] [--type F32|F16|BF16] [--shard-mib N]",
  );
  process.exit(2);
}

const [width, ffn, heads, kvHeads] = [2048, 5632, 32, 4];
const keys = (width / heads) * kvHeads;
const layer = {
  "input_layernorm.weight": [width],
  "post_attention_layernorm.weight": [width],
  "self_attn.q_proj.weight": [width, width],
  "self_attn.k_proj.weight": [keys, width],
  "self_attn.v_proj.weight": [keys, width],
  "self_attn.o_proj.weight": [width, width],
  "mlp.gate_proj.weight": [ffn, width],
  "mlp.up_proj.weight": [ffn, width],
  "mlp.down_proj.weight": [width, ffn],
};
const tensors = [
  ["model.embed_tokens.weight", [vocabulary, width]],
  ...Array.from({ length: layers }, (_, i) =>
    Object.entries(layer).map(([name, shape]) => [`model.layers.${i}.${name}`, shape]),
  ).flat(),
  ["model.norm.weight", [width]],
  ["lm_head.weight", [vocabulary, width]],
].map(([name, shape]) => ({ name, shape, bytes: shape.reduce((a, b) => a * b, valueBytes) }));

/** Shards as they are cut by whoever publishes a model: a new one when the next tensor does not fit. */
const shards = [[]];
let filled = 0;
for (const tensor of tensors) {
  if (filled > 0 && filled + tensor.bytes > shardMib * 2 ** 20) {
    shards.push([]);
    filled = 0;
  }
  shards.at(-1).push(tensor);
  filled += tensor.bytes;
}

const number = (i) => String(i).padStart(5, "0");
const shardName = (i) => `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
const block = weights(options.type);

function writeShard(path, held) {
  const header = {};
  let end = 0;
  for (const { name, shape, bytes } of held) {
    header[name] = { dtype: options.type, shape, data_offsets: [end, (end += bytes)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, "w");
  writeSync(file, Buffer.concat([length, text]));
  for (let left = end; left > 0; left -= block.length) {
    writeSync(file, block, 0, Math.min(block.length, left));
  }
  closeSync(file);
}

function writeJson(name, value) {
  writeFileSync(join(output, name), JSON.stringify(value));
}

mkdirSync(output, { recursive: true });
shards.forEach((held, i) => writeShard(join(output, shardName(i)), held));
writeJson("model.safetensors.index.json", {
  weight_map: Object.fromEntries(
    shards.flatMap((held, i) => held.map(({ name }) => [name, shardName(i)])),
  ),
});
writeJson("config.json", {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  torch_dtype: { F32: "float32", F16: "float16", BF16: "bfloat16" }[options.type],
  hidden_size: width,
  intermediate_size: ffn,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
  num_hidden_layers: layers,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  vocab_size: vocabulary,
  bos_token_id: 0,
  eos_token_id: 1,
});
const tokens = ["<s>", "</s>", "\u0120", "a", "b", "c", "d", "ab", "cd", "abcd"];
writeJson("tokenizer.json", {
  added_tokens: [0, 1].map((id) => ({ id, content: tokens[id], special: true })),
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  decoder: { type: "ByteLevel" },
  model: {
    type: "BPE",
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: ["a b", "c d", "ab cd"],
  },
});
writeJson("tokenizer_config.json", { bos_token: "<s>", eos_token: "</s>" });
