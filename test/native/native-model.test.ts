import { readFileSync, truncateSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { NibbleErrorCode } from "../../src/errors.js";
import { nativeEngine } from "../../src/run/engine-native.js";
import { readGguf } from "../../src/sources/gguf.js";
import type { BuiltEntry, BuiltTensor } from "../helpers/gguf-builder.js";
import { families } from "../helpers/families.js";
import { nativeLogits } from "../helpers/native-run.js";
import { tinyModel, writeTinyModel, type TinyModel } from "../helpers/tiny-model.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const small = tinyModel();

/** What a model has instead of the tiny model's own, and what comes of it. */
interface Row {
  readonly what: string;
  readonly code: NibbleErrorCode;
  readonly says: RegExp;
  readonly model?: TinyModel;
  readonly without?: string;
  readonly tensor?: Partial<BuiltTensor> & { readonly name: string };
  readonly keys?: Readonly<Record<string, Omit<BuiltEntry, "key">>>;
}

const u32 = (value: number) => ({ type: "u32", value });
const f32 = (value: number) => ({ type: "f32", value });
const text = (value: string) => ({ type: "string", value });
const wide = tinyModel({ width: 256, headDim: 64, ffnWidth: 256, layers: 1 });

const f32Array = (values: number[]) => ({
  type: "F32" as const,
  shape: [values.length],
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const [moe, phi3, gpt2] = [
  tinyModel(families.qwen2moe),
  tinyModel(families["phi3 that turns a part"]),
  tinyModel(families.gpt2),
];
const [falcon, gemma2, gemma3, neox] = [
  tinyModel(families["falcon with two norms"]),
  tinyModel(families.gemma2),
  tinyModel(families.gemma3),
  tinyModel(families.gptneox),
];

/** A key of the model's own with another value. */
function key(model: TinyModel, name: string, value: Omit<BuiltEntry, "key">, what: string): Row {
  const full = `${model.config.architecture}.${name}`;
  const says = new RegExp(full.replaceAll(".", "\\."));
  return { what, model, keys: { [full]: value }, code: "ERR_FORMAT", says };
}

function missing(model: TinyModel, name: string): Row {
  const what = `${model.config.architecture} without ${name}`;
  return { what, model, without: name, code: "ERR_FORMAT", says: /is missing/ };
}

function shaped(model: TinyModel, name: string, shape: number[], says: RegExp): Row {
  const what = `${model.config.architecture} with ${name} of ${shape.join(" x ")}`;
  return { what, model, tensor: { name, shape }, code: "ERR_FORMAT", says };
}

/** What only some architectures have. */
const familyRows: readonly Row[] = [
  {
    what: "heads of 2^31 values",
    keys: {
      "llama.attention.key_length": u32(2 ** 31),
      "llama.attention.value_length": u32(2 ** 31),
      "llama.rope.dimension_count": u32(2 ** 31),
    },
    code: "ERR_FORMAT",
    says: /attn_q\.weight is \[64, 64\]/,
  },
  key(moe, "expert_count", u32(0), "no experts, where there have to be some"),
  key(moe, "expert_count", u32(2 ** 32 - 1), "more experts than there can be"),
  key(moe, "expert_used_count", u32(8), "tokens that go to more experts than there are"),
  key(moe, "expert_used_count", f32(NaN), "tokens that go to NaN experts"),
  { ...key(moe, "expert_count", u32(5), "fewer experts than there are"), says: /\[64, 7\]/ },
  { ...key(moe, "expert_feed_forward_length", u32(41), "experts of another length"), says: /exps/ },
  {
    ...key(moe, "expert_group_count", u32(2), "groups of experts"),
    code: "ERR_UNSUPPORTED",
    says: /groups.*--engine llama\.cpp/,
  },
  missing(moe, "blk.1.ffn_gate_inp.weight"),
  missing(moe, "blk.0.ffn_down_exps.weight"),
  missing(moe, "blk.0.ffn_gate_inp_shexp.weight"),
  shaped(moe, "blk.0.ffn_up_exps.weight", [64, 280], /\[64, 40, 7\]/),
  shaped(moe, "blk.0.ffn_up_exps.weight", [64, 40, 7, 2], /\[64, 40, 7\]/),
  shaped(moe, "blk.0.ffn_gate_inp.weight", [64, 6], /\[64, 7\]/),
  shaped(phi3, "blk.0.attn_qkv.weight", [64, 127], /\[64, 128\]/),
  shaped(phi3, "blk.0.ffn_up.weight", [64, 96], /\[64, 192\]/),
  {
    what: "queries beside fused ones",
    model: phi3,
    tensor: { name: "blk.0.attn_q.weight", type: "F32", shape: [64, 64] },
    code: "ERR_UNSUPPORTED",
    says: /attn_q\.weight.*--engine llama\.cpp/,
  },
  ...(["long", "short"] as const).map((length): Row => {
    const name = `rope_factors_${length}.weight`;
    const tensor = { name, ...f32Array([1, 1, 0, 1]) };
    const what = `${length} factors, one of 0`;
    return { what, model: phi3, tensor, code: "ERR_FORMAT", says: /rope_factors/ };
  }),
  missing(gpt2, "position_embd.weight"),
  missing(gpt2, "blk.0.attn_qkv.bias"),
  missing(gpt2, "blk.1.ffn_norm.bias"),
  missing(gpt2, "output_norm.bias"),
  key(gpt2, "attention.layer_norm_epsilon", f32(-1), "a negative eps of layer norm"),
  { ...key(gpt2, "context_length", u32(301), "positions that were not learned"), says: /301\]/ },
  shaped(gpt2, "blk.0.attn_qkv.bias", [191], /\[192\]/),
  missing(falcon, "blk.0.attn_norm_2.bias"),
  missing(falcon, "blk.1.attn_norm.weight"),
  key(neox, "use_parallel_residual", u32(1), "a flag that is a number"),
  missing(gemma2, "blk.0.post_ffw_norm.weight"),
  key(gemma2, "attn_logit_softcapping", f32(-1), "a negative cap"),
  key(gemma2, "final_logit_softcapping", f32(NaN), "NaN for the cap"),
  key(gemma2, "attention.sliding_window_pattern", f32(1.5), "half a period"),
  key(gemma2, "attention.sliding_window_pattern", { type: "i32", value: -2 }, "a negative period"),
  key(gemma3, "rope.freq_base_swa", f32(0), "a base of 0 in windows"),
  missing(gemma3, "blk.2.attn_q_norm.weight"),
];

const rows: readonly Row[] = [
  ...[
    "token_embd.weight",
    "output_norm.weight",
    "blk.1.attn_v.weight",
    "blk.0.ffn_norm.weight",
  ].map((name): Row => ({
    what: `without ${name}`,
    without: name,
    code: "ERR_FORMAT",
    says: new RegExp(`${name} is missing|vocabulary|token_embd`),
  })),
  {
    what: "a matrix of too few rows",
    tensor: { name: "blk.1.ffn_up.weight", shape: [64, 95] },
    code: "ERR_FORMAT",
    says: /blk\.1\.ffn_up\.weight is \[64, 95\].*\[64, 96\]/,
  },
  {
    what: "a matrix of too short rows",
    tensor: { name: "blk.0.attn_q.weight", shape: [32, 128] },
    code: "ERR_FORMAT",
    says: /attn_q\.weight is \[32, 128\].*\[64, 64\]/,
  },
  {
    what: "a matrix of three dimensions",
    tensor: { name: "blk.0.attn_q.weight", shape: [64, 64, 2] },
    code: "ERR_FORMAT",
    says: /attn_q\.weight is \[64, 64, 2\]/,
  },
  {
    what: "an embedding of another width",
    tensor: { name: "token_embd.weight", shape: [32, 600] },
    code: "ERR_FORMAT",
    says: /token_embd\.weight is \[32, 600\]/,
  },
  {
    what: "an output of another vocabulary",
    tensor: { name: "output.weight", shape: [64, 301] },
    code: "ERR_FORMAT",
    says: /output\.weight is \[64, 301\].*\[64, 300\]/,
  },
  {
    what: "a norm in F16",
    tensor: { name: "blk.0.attn_norm.weight", type: "F16" },
    code: "ERR_UNSUPPORTED",
    says: /attn_norm\.weight is F16.*--engine llama\.cpp/,
  },
  {
    what: "a type that has no codec",
    model: wide,
    tensor: { name: "blk.0.ffn_up.weight", type: "F64" },
    code: "ERR_UNSUPPORTED",
    says: /ffn_up\.weight is F64.*--engine llama\.cpp/,
  },
  {
    what: "a tensor that the graph has no place for",
    tensor: { name: "blk.0.ffn_gate_inp.weight", type: "F32", shape: [64, 8] },
    code: "ERR_UNSUPPORTED",
    says: /ffn_gate_inp\.weight.*--engine llama\.cpp/,
  },
  {
    what: "a layer more than the metadata say",
    keys: { "llama.block_count": u32(1) },
    code: "ERR_UNSUPPORTED",
    says: /blk\.1\./,
  },
  {
    what: "norms of heads in an architecture without",
    tensor: { name: "blk.0.attn_q_norm.weight", type: "F32", shape: [16] },
    code: "ERR_UNSUPPORTED",
    says: /attn_q_norm/,
  },
  ...["mamba", "constructor", ""].map((architecture): Row => ({
    what: `the architecture ${JSON.stringify(architecture)}`,
    keys: { "general.architecture": text(architecture) },
    code: "ERR_UNSUPPORTED",
    says: /--engine llama\.cpp/,
  })),
  {
    what: "an architecture that is a number",
    keys: { "general.architecture": u32(1) },
    code: "ERR_FORMAT",
    says: /general\.architecture/,
  },
  ...Object.entries({
    "a head of odd length": ["attention.key_length", u32(15)],
    "values as long as keys are not": ["attention.value_length", u32(32)],
    "kv heads that do not divide": ["attention.head_count_kv", u32(3)],
    "more kv heads than heads": ["attention.head_count_kv", u32(8)],
    "no heads": ["attention.head_count", u32(0)],
    "heads by layer": [
      "attention.head_count_kv",
      { type: "array", elementType: "u32", value: [2, 2] },
    ],
    "half a head": ["attention.head_count", f32(2.5)],
    "more layers than there can be": ["block_count", u32(2 ** 32 - 1)],
    "more layers than there are": ["block_count", u32(4000)],
    "a width of 0": ["embedding_length", u32(0)],
    "a width that is text": ["embedding_length", text("64")],
    "a width of 2^63": ["embedding_length", { type: "u64", value: 2n ** 63n }],
    "a negative width": ["embedding_length", { type: "i32", value: -64 }],
    "rotation longer than a head": ["rope.dimension_count", u32(18)],
    "odd rotation": ["rope.dimension_count", u32(7)],
    "NaN for eps": ["attention.layer_norm_rms_epsilon", f32(NaN)],
    "an infinite eps": ["attention.layer_norm_rms_epsilon", f32(Infinity)],
    "a negative eps": ["attention.layer_norm_rms_epsilon", f32(-1)],
    "NaN for the base": ["rope.freq_base", f32(NaN)],
    "a base of 0": ["rope.freq_base", f32(0)],
    "NaN for the scale": ["attention.scale", f32(NaN)],
    "NaN for the window": ["attention.sliding_window", f32(NaN)],
    "half a window": ["attention.sliding_window", f32(2.5)],
    "NaN for the factor": ["rope.scaling.factor", f32(NaN)],
  } satisfies Record<string, [string, Omit<BuiltEntry, "key">]>).map(
    ([what, [key, value]]): Row => ({
      what,
      keys: { [`llama.${key}`]: value },
      code: "ERR_FORMAT",
      says: new RegExp(
        key === "block_count" ? "block_count|blk\\.2\\." : key.replaceAll(".", "\\."),
      ),
    }),
  ),
  ...familyRows,
  {
    what: "a rope scaling that nobody knows",
    keys: { "llama.rope.scaling.type": text("dynamic") },
    code: "ERR_UNSUPPORTED",
    says: /dynamic.*--engine llama\.cpp/,
  },
  ...[
    ["too few", Float32Array.of(1, 1, 1)],
    ["one of 0", Float32Array.of(1, 1, 1, 1, 0, 1, 1, 1)],
    ["one NaN", Float32Array.of(1, 1, 1, NaN, 1, 1, 1, 1)],
  ].map(([what, factors]): Row => {
    const values = factors as Float32Array;
    const data = new Uint8Array(values.buffer);
    return {
      what: `rope factors, ${String(what)}`,
      tensor: { name: "rope_freqs.weight", type: "F32", shape: [values.length], data },
      code: "ERR_FORMAT",
      says: /rope_freqs\.weight/,
    };
  }),
];

function writeRow({ model = small, without, tensor, keys = {} }: Row): string {
  const path = file("bad.gguf");
  const entries = new Map(model.metadata.map((entry) => [entry.key, entry]));
  for (const [key, value] of Object.entries(keys)) entries.set(key, { key, ...value });
  const kept = model.built.filter(({ name }) => name !== without);
  const replaced = kept.map((own) => {
    if (own.name !== tensor?.name) return own;
    // Data that does not fit the change is left to the builder, which writes zeros.
    const { type, shape } = own;
    return { type, shape, ...tensor };
  });
  const isNew = tensor !== undefined && !kept.some(({ name }) => name === tensor.name);
  const added = isNew ? [{ type: "F32", shape: [1], ...tensor }] : [];
  const tensors = [...replaced, ...added];
  return writeTinyModel(path, model, { metadata: [...entries.values()], tensors });
}

describe("the native engine refuses", () => {
  it.each(rows)("$what", async (row) => {
    const path = writeRow(row);
    const refusal: unknown = await readGguf(path)
      .then((info) => nativeEngine.load(info, { threads: 1 }))
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: row.code });
    expect((refusal as Error).message).toMatch(row.says);
    expect((refusal as Error).message).toContain(path);
  });

  it("no router that gives NaN: it goes to some experts all the same", async () => {
    const data = new Uint8Array(Float32Array.from({ length: 64 * 7 }, () => NaN).buffer);
    const tensors = moe.built.map((own) =>
      own.name.endsWith("ffn_gate_inp.weight") ? { ...own, data } : own,
    );
    const path = writeTinyModel(file("nan.gguf"), moe, { tensors });
    const logits = await nativeLogits(path, [1, 2, 3, 4, 5, 6]);
    expect(logits.every((row) => row.every(Number.isNaN))).toBe(true);
  });

  it("a file that was shortened after its header was read", async () => {
    const path = writeTinyModel(file("short.gguf"), small);
    const info = await readGguf(path);
    truncateSync(path, readFileSync(path).length - 4096);
    await expect(nativeEngine.load(info, { threads: 1 })).rejects.toMatchObject({
      code: "ERR_FORMAT",
      details: { path },
    });
  });
});
