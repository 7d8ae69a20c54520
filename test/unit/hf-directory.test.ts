import { mkdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { modelName } from "../../src/sources/model-name.js";
import { openSource } from "../../src/sources/open.js";
import type { MetadataEntry, ModelInfo } from "../../src/sources/model-info.js";
import {
  buildHfDirectory,
  tinyConfig,
  tinyShapes,
  tinyTokenizer,
  tinyTokenizerConfig,
  tinyWeight,
  tinyWeights,
  type HfFiles,
} from "../helpers/hf-builder.js";
import { buildSafetensors } from "../helpers/safetensors-builder.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
let count = 0;
const build = (files?: HfFiles): string => buildHfDirectory(file(`model-${(count += 1)}`), files);

function plain({ metadata }: ModelInfo): Record<string, MetadataEntry["value"]> {
  return Object.fromEntries(metadata.map(({ key, value }) => [key, value]));
}

describe("a Hugging Face directory", () => {
  it("becomes GGUF names, shapes and row orders", async () => {
    const { container, tensors } = await openSource(build());
    expect(container).toBe("hf");
    const rows = tensors.map(({ name, shape, transform }) => [name, shape.join("x"), transform]);
    const interleave = { kind: "interleave-halves", headDim: 4 };
    expect(rows).toEqual(
      expect.arrayContaining([
        ["token_embd.weight", "8x16", undefined],
        ["output.weight", "8x16", undefined],
        ["output_norm.weight", "8", undefined],
        ["blk.0.attn_norm.weight", "8", undefined],
        ["blk.0.ffn_norm.weight", "8", undefined],
        ["blk.0.attn_q.weight", "8x8", interleave],
        ["blk.0.attn_k.weight", "8x4", interleave],
        ["blk.0.attn_v.weight", "8x4", undefined],
        ["blk.0.attn_output.weight", "8x8", undefined],
        ["blk.0.ffn_gate.weight", "8x12", undefined],
        ["blk.0.ffn_up.weight", "8x12", undefined],
        ["blk.0.ffn_down.weight", "12x8", undefined],
      ]),
    );
    expect(rows).toHaveLength(12);
  });

  it("becomes metadata", async () => {
    const model = await openSource(
      build({ files: { "README.md": "---\nlicense: mit\n---\nText" } }),
    );
    const f32 = Math.fround(1e-5);
    expect(plain(model)).toMatchObject({
      "general.architecture": "llama",
      "general.license": "mit",
      "llama.block_count": 1,
      "llama.context_length": 64,
      "llama.embedding_length": 8,
      "llama.feed_forward_length": 12,
      "llama.attention.head_count": 2,
      "llama.attention.head_count_kv": 1,
      "llama.attention.layer_norm_rms_epsilon": f32,
      "llama.rope.freq_base": 10000,
      "llama.rope.dimension_count": 4,
      "llama.vocab_size": 16,
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.merges": ["a b", "c d", "ab cd", "\u0120 a"],
      "tokenizer.ggml.bos_token_id": 0,
      "tokenizer.ggml.eos_token_id": 1,
      "tokenizer.ggml.add_bos_token": true,
      "tokenizer.chat_template": "{{ messages }}",
    });
    const { "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types } = plain(model);
    expect(tokens).toHaveLength(16);
    expect((tokens as string[]).slice(10)).toEqual([
      "\u0120a",
      ...[11, 12, 13, 14, 15].map((i) => `[PAD${i}]`),
    ]);
    expect(types).toEqual([3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 5, 5, 5]);
  });

  it("may be tied, with the embedding under either name", async () => {
    const names = Object.keys(tinyShapes);
    for (const absent of ["lm_head.weight", "model.embed_tokens.weight"]) {
      const weights = names.filter((name) => name !== absent).map((name) => tinyWeight(name));
      const { tensors } = await openSource(build({ weights }));
      expect(tensors.map(({ name }) => name)).toContain("token_embd.weight");
      expect(tensors.map(({ name }) => name)).not.toContain("output.weight");
    }
  });

  it("may be in shards", async () => {
    const weights = tinyWeights();
    const shards = [weights.slice(0, 5), weights.slice(5)];
    const name = (i: number): string => `model-0000${i + 1}-of-00002.safetensors`;
    const map = shards.flatMap((shard, i) =>
      shard.map((weight) => [weight.name, name(i)] as const),
    );
    const files = {
      "model.safetensors.index.json": JSON.stringify({ weight_map: Object.fromEntries(map) }),
      ...Object.fromEntries(shards.map((shard, i) => [name(i), buildSafetensors(shard)])),
    };
    const model = await openSource(build({ files, without: ["model.safetensors"] }));
    expect(model.files).toHaveLength(2);
    expect(model.tensors).toHaveLength(12);
    expect(new Set(model.tensors.map(({ pieces }) => pieces[0]?.file))).toEqual(new Set([0, 1]));
    const lost = build({ files, without: ["model.safetensors", name(1)] });
    await expect(openSource(lost)).rejects.toMatchObject({
      code: "ERR_IO",
      message: expect.stringMatching(/shard.*missing.*00002-of-00002/) as string,
    });
  });

  it("may have a chat template of its own file, or several", async () => {
    const files = { "chat_template.jinja": "{{ own }}" };
    const own = await openSource(build({ tokenizerConfig: {}, files }));
    expect(plain(own)["tokenizer.chat_template"]).toBe("{{ own }}");
    // Where both files have one, upstream takes that of tokenizer_config.json.
    const both = await openSource(build({ files }));
    expect(plain(both)["tokenizer.chat_template"]).toBe("{{ messages }}");
    const chat_template = [
      { name: "default", template: "D" },
      { name: "tool_use", template: "T" },
    ];
    const several = await openSource(
      build({ tokenizerConfig: { ...tinyTokenizerConfig, chat_template } }),
    );
    expect(plain(several)).toMatchObject({
      "tokenizer.chat_template": "D",
      "tokenizer.chat_template.tool_use": "T",
      "tokenizer.chat_templates": ["tool_use"],
    });
  });

  it("may scale its rotary embedding linearly, and have heads of another length", async () => {
    const config = {
      ...tinyConfig,
      head_dim: 8,
      num_attention_heads: 1,
      rope_scaling: { type: "linear", factor: 4 },
    };
    const weights = tinyWeights().map((weight) =>
      /[kv]_proj/.test(weight.name) ? tinyWeight(weight.name, [8, 8]) : weight,
    );
    expect(plain(await openSource(build({ config, weights })))).toMatchObject({
      "llama.rope.scaling.type": "linear",
      "llama.rope.scaling.factor": 4,
      "llama.rope.dimension_count": 8,
      "llama.attention.key_length": 8,
      "llama.attention.value_length": 8,
    });
  });

  it("of merges in pairs, with spaces in them, is the same", async () => {
    const merges = [
      ["a", "b"],
      ["c", "d"],
      ["ab", "cd"],
      [" ", "a"],
    ];
    const tokenizer = { ...tinyTokenizer, model: { ...tinyTokenizer.model, merges } };
    const model = await openSource(build({ tokenizer }));
    expect(plain(model)["tokenizer.ggml.merges"]).toEqual(["a b", "c d", "ab cd", "\u0120 a"]);
  });

  it("--pre names a pre-tokenizer that is not known", async () => {
    const pre_tokenizer = { type: "Whitespace" };
    const path = build({ tokenizer: { ...tinyTokenizer, pre_tokenizer } });
    await expect(openSource(path)).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringMatching(/--pre/) as string,
    });
    const model = await openSource(path, { pre: "chatglm-bpe" });
    expect(plain(model)["tokenizer.ggml.pre"]).toBe("chatglm-bpe");
  });
});

const weight = (name: string) => tinyWeights().filter((one) => one.name !== name);
const tokenizerWith = (model: object) => ({
  ...tinyTokenizer,
  model: { ...tinyTokenizer.model, ...model },
});
const headerOf = (entry: object): Uint8Array =>
  buildSafetensors([{ name: "t", dtype: "F32", shape: [2], data: new Uint8Array(8) }], {
    header: JSON.stringify({ t: entry }),
  });
const shard = (bytes: Uint8Array) => ({ files: { "model.safetensors": bytes } });
const small = { dtype: "F32", shape: [2], data_offsets: [0, 8] };

/** What is wrong, the code, what the message has to say, and the directory. */
const refused: readonly (readonly [string, NibbleErrorCode, RegExp, HfFiles])[] = [
  ["no config.json", "ERR_ARGUMENT", /no config\.json/, { without: ["config.json"] }],
  [
    "no config.json but a GGUF",
    "ERR_ARGUMENT",
    /give the file itself: .*m\.gguf/,
    { without: ["config.json"], files: { "m.gguf": "" } },
  ],
  [
    "config.json that is no JSON",
    "ERR_FORMAT",
    /config\.json.*no JSON/,
    { files: { "config.json": "{" } },
  ],
  [
    "config.json that is a list",
    "ERR_FORMAT",
    /no JSON object/,
    { files: { "config.json": "[]" } },
  ],
  [
    "an unknown architecture",
    "ERR_UNSUPPORTED",
    /the model is BloomForCausalLM \(by its field architectures\), and Nibble converts Llama.*quantize a GGUF/,
    { config: { ...tinyConfig, architectures: ["BloomForCausalLM"] } },
  ],
  [
    "no architecture",
    "ERR_UNSUPPORTED",
    /unnamed/,
    { config: { ...tinyConfig, architectures: [] } },
  ],
  [
    "no hidden_size",
    "ERR_FORMAT",
    /hidden_size.*nothing/,
    { config: { ...tinyConfig, hidden_size: undefined } },
  ],
  [
    "a hidden_size of text",
    "ERR_FORMAT",
    /hidden_size.*"8"/,
    { config: { ...tinyConfig, hidden_size: "8" } },
  ],
  [
    "1e9 layers",
    "ERR_FORMAT",
    /num_hidden_layers/,
    { config: { ...tinyConfig, num_hidden_layers: 1e9 } },
  ],
  ["an epsilon of 0", "ERR_FORMAT", /rms_norm_eps/, { config: { ...tinyConfig, rms_norm_eps: 0 } }],
  ["an odd head", "ERR_FORMAT", /head_dim/, { config: { ...tinyConfig, head_dim: 3 } }],
  [
    "gelu",
    "ERR_UNSUPPORTED",
    /hidden_act is gelu/,
    { config: { ...tinyConfig, hidden_act: "gelu" } },
  ],
  [
    "rotary scaling that is computed",
    "ERR_UNSUPPORTED",
    /rope_scaling is dynamic, and .* linear, yarn, llama3/,
    { config: { ...tinyConfig, rope_scaling: { rope_type: "dynamic", factor: 8 } } },
  ],
  [
    "weights that are quantized already",
    "ERR_UNSUPPORTED",
    /quantization_config\.quant_method is bitsandbytes/,
    { config: { ...tinyConfig, quantization_config: { quant_method: "bitsandbytes" } } },
  ],
  ["no weights", "ERR_UNSUPPORTED", /no model\.safetensors/, { without: ["model.safetensors"] }],
  [
    "a pickle",
    "ERR_UNSUPPORTED",
    /pytorch_model\.bin, a PyTorch pickle/,
    { without: ["model.safetensors"], files: { "pytorch_model.bin": "" } },
  ],
  [
    "a tensor that is not there",
    "ERR_FORMAT",
    /blk\.0\.ffn_up\.weight is missing|ffn_up/,
    { weights: weight("model.layers.0.mlp.up_proj.weight") },
  ],
  [
    "a tensor of another layer",
    "ERR_FORMAT",
    /beyond the 1 layers/,
    { weights: [...tinyWeights(), tinyWeight("model.layers.1.mlp.up_proj.weight", [12, 8])] },
  ],
  [
    "a tensor that has no place",
    "ERR_UNSUPPORTED",
    /visual\.weight has no place/,
    { weights: [...tinyWeights(), tinyWeight("visual.weight", [2, 2])] },
  ],
  [
    "heads that do not fit",
    "ERR_FORMAT",
    /q_proj\.weight: has the shape \[8, 8\], and config\.json makes it \[16, 8\] \(queries, width\)/,
    { config: { ...tinyConfig, num_attention_heads: 4, head_dim: 4 } },
  ],
  [
    "weights of 64 bits",
    "ERR_UNSUPPORTED",
    /type F64; Nibble converts/,
    {
      weights: tinyWeights().map((one) => ({
        ...one,
        dtype: "F64",
        data: new Uint8Array(one.data.length * 2),
      })),
    },
  ],
  ["no tokenizer.json", "ERR_UNSUPPORTED", /no tokenizer\.json/, { without: ["tokenizer.json"] }],
  [
    "an empty tokenizer.model",
    "ERR_FORMAT",
    /tokenizer\.model: pieces: are missing/,
    { without: ["tokenizer.json"], files: { "tokenizer.model": "" } },
  ],
  [
    "a tokenizer that cannot be converted",
    "ERR_UNSUPPORTED",
    /tokenizer is WordPiece/,
    { tokenizer: tokenizerWith({ type: "WordPiece" }) },
  ],
  [
    "BPE on characters",
    "ERR_UNSUPPORTED",
    /without byte fallback/,
    { tokenizer: { ...tinyTokenizer, pre_tokenizer: null, decoder: null } },
  ],
  [
    "a token beyond the embedding",
    "ERR_FORMAT",
    /"z" has id|has id 16/,
    { tokenizer: tokenizerWith({ vocab: { z: 16 } }) },
  ],
  [
    "two tokens of one id",
    "ERR_FORMAT",
    /same id 3/,
    { tokenizer: tokenizerWith({ vocab: { y: 3, z: 3 } }) },
  ],
  [
    "a token id that is a fraction",
    "ERR_FORMAT",
    /has id 1\.5/,
    { tokenizer: tokenizerWith({ vocab: { z: 1.5 } }) },
  ],
  [
    "a merge of three",
    "ERR_FORMAT",
    /merges.*entry 0/,
    { tokenizer: tokenizerWith({ merges: [["a", "b", "c"]] }) },
  ],
  [
    "a BOS that is no token",
    "ERR_FORMAT",
    /bos_token_id.*is 99/,
    { config: { ...tinyConfig, bos_token_id: 99 }, tokenizerConfig: {} },
  ],
  [
    "an index that leads elsewhere",
    "ERR_FORMAT",
    /no plain name/,
    {
      without: ["model.safetensors"],
      files: { "model.safetensors.index.json": '{"weight_map":{"a":"../../secret.safetensors"}}' },
    },
  ],
  [
    "an index without a map",
    "ERR_FORMAT",
    /weight_map/,
    {
      without: ["model.safetensors"],
      files: { "model.safetensors.index.json": "{}" },
    },
  ],
  ["an empty shard", "ERR_FORMAT", /header length/, shard(new Uint8Array())],
  [
    "a header longer than the file",
    "ERR_FORMAT",
    /header length: is 9999/,
    shard(buildSafetensors([], { headerLength: 9999n })),
  ],
  [
    "a header of 2^63 bytes",
    "ERR_FORMAT",
    /header length/,
    shard(buildSafetensors([], { headerLength: 2n ** 63n })),
  ],
  [
    "a header that is no JSON",
    "ERR_FORMAT",
    /header: is no JSON/,
    shard(buildSafetensors([], { header: "{]" })),
  ],
  [
    "a tensor without a type",
    "ERR_FORMAT",
    /dtype/,
    shard(headerOf({ ...small, dtype: undefined })),
  ],
  ["a negative length", "ERR_FORMAT", /shape/, shard(headerOf({ ...small, shape: [-2] }))],
  [
    "lengths that overflow",
    "ERR_FORMAT",
    /needs? \d{20}|shape and type need/,
    shard(headerOf({ ...small, shape: [2 ** 40, 2 ** 40] })),
  ],
  [
    "offsets that are reversed",
    "ERR_FORMAT",
    /need 8/,
    shard(headerOf({ ...small, data_offsets: [8, 0] })),
  ],
  [
    "offsets for another shape",
    "ERR_FORMAT",
    /takes 4 bytes/,
    shard(headerOf({ ...small, data_offsets: [0, 4] })),
  ],
  ["a gap in the data", "ERR_FORMAT", /gap/, shard(headerOf({ ...small, data_offsets: [8, 16] }))],
  [
    "data beyond the file",
    "ERR_FORMAT",
    /take 16 bytes, and the file has 8/,
    shard(headerOf({ ...small, shape: [4], data_offsets: [0, 16] })),
  ],
  [
    "tensors that overlap",
    "ERR_FORMAT",
    /overlaps/,
    shard(buildSafetensors([], { header: JSON.stringify({ a: small, b: small }) })),
  ],
];

describe("refuses", () => {
  it.each(refused)("%s", async (_what, code, says, files) => {
    const error = await openSource(build(files)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(isNibbleError(error, code), String(error)).toBe(true);
    expect((error as Error).message).toMatch(says);
    expect((error as Error).message).not.toContain("\n");
  });

  it("a safetensors header that is cut at any byte", async () => {
    const bytes = buildSafetensors(tinyWeights().slice(0, 2));
    const path = build();
    for (let length = 0; length < bytes.length; length += 1) {
      writeFileSync(`${path}/model.safetensors`, bytes.subarray(0, length));
      await expect(openSource(path)).rejects.toMatchObject({ code: "ERR_FORMAT" });
    }
  });

  it("a path that is not there", async () => {
    await expect(openSource(file("nowhere"))).rejects.toMatchObject({ code: "ERR_IO" });
  });
});

describe("the model's name", () => {
  it.each([
    ["models/TinyLlama-1.1B", "TinyLlama-1.1B"],
    ["models/nibble-8m/hf", "nibble-8m"],
    ["cache/models--org--the-name/snapshots/0123abc", "the-name"],
    ["models/nibble-8m/", "nibble-8m"],
  ])("of %s is %s", (path, name) => {
    mkdirSync(file(path), { recursive: true });
    expect(modelName(file(path))).toBe(name);
  });
});

describeShared("TinyStories-656K", () => {
  it("has the metadata that upstream's converter gave it, but for better scores", async () => {
    const ours = plain(await openSource(sharedData("TinyStories-656K")));
    const theirs = plain(
      await openSource(sharedData("TinyStories-656K/TinyStories-656K-F32.gguf")),
    );
    const known = Object.keys(theirs).filter((key) => /^(llama|tokenizer)\./.test(key));
    const differ = known.filter((key) => JSON.stringify(ours[key]) !== JSON.stringify(theirs[key]));
    // Upstream gives every token the same score where there is no tokenizer.model, and calls the unknown token a
    // control token.
    expect(differ).toEqual(["tokenizer.ggml.scores", "tokenizer.ggml.token_type"]);
    const types = (model: typeof ours) => model["tokenizer.ggml.token_type"] as number[];
    expect(types(ours)).toEqual([2, ...types(theirs).slice(1)]);
  });

  it("has the tensors of upstream's file", async () => {
    const rows = ({ tensors }: ModelInfo) =>
      tensors.map(({ name, shape, type }) => `${name} ${shape.join("x")} ${type}`).sort();
    const ours = await openSource(sharedData("TinyStories-656K"));
    const theirs = await openSource(sharedData("TinyStories-656K/TinyStories-656K-F32.gguf"));
    expect(rows(ours)).toEqual(rows(theirs));
  });
});
