import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { readWeights } from "../../src/sources/hf-weights.js";
import { JsonFile } from "../../src/sources/json-file.js";
import {
  awqWeight,
  built,
  bytesWeight,
  compressedWeight,
  gptqWeight,
  int64,
  mxfp4Weight,
} from "../helpers/encoded-weights.js";
import { buildSafetensors, type BuiltWeight } from "../helpers/safetensors-builder.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
let made = 0;

type Files = Readonly<Record<string, string | Uint8Array>>;

function read(files: Files, config: Record<string, unknown> = {}): ReturnType<typeof readWeights> {
  const folder = file(String((made += 1)));
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const json = new JsonFile(join(folder, "config.json"), config);
  return readWeights(folder, Object.keys(files), json);
}

async function expectError(
  reading: Promise<unknown>,
  code: NibbleErrorCode,
  says: RegExp,
): Promise<void> {
  const error: unknown = await reading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(isNibbleError(error, code), String(error)).toBe(true);
  expect((error as Error).message).toMatch(says);
}

/** Replaces a part, whose bytes are as many as its shape says. */
function withPart(
  weights: readonly BuiltWeight[],
  end: string,
  shape: readonly number[] | undefined,
  dtype?: string,
): BuiltWeight[] {
  return weights.flatMap((weight) => {
    if (!weight.name.endsWith(end)) return [weight];
    if (shape === undefined) return [];
    const type = dtype ?? weight.dtype;
    const each = { U8: 1, I8: 1, F8_E4M3: 1, F16: 2, I64: 8 }[type] ?? 4;
    const bytes = shape.reduce((product, n) => product * n, each);
    return [built(weight.name, type, shape, new Uint8Array(bytes))];
  });
}

const gptq = { quantization_config: { quant_method: "gptq", bits: 4, group_size: 32 } };
const awq = { quantization_config: { quant_method: "awq", bits: 4, group_size: 32 } };
const fp8 = { quantization_config: { quant_method: "fp8", weight_block_size: [16, 16] } };
const mxfp4 = { quantization_config: { quant_method: "mxfp4" } };
const packed = {
  quantization_config: {
    ...{ quant_method: "compressed-tensors", format: "pack-quantized" },
    config_groups: { group_0: { weights: { num_bits: 4, group_size: 32 } } },
  },
};
const size = { rows: 16, columns: 64, groupSize: 32 };
const whole = {
  gptq: gptqWeight(size).weights,
  awq: awqWeight(size).weights,
  packed: compressedWeight({ ...size, zeroPoints: "words", index: "random" }).weights,
  fp8: bytesWeight({ ...size, block: [16, 16], scaleShape: [1, 4] }).weights,
  mxfp4: mxfp4Weight({ ...size, matrices: 2 }).weights,
};

/** A part, the shape that it is given, and what the error says besides naming weight and shapes. */
const misfits: readonly (readonly [
  keyof typeof whole,
  Record<string, unknown>,
  string,
  readonly number[] | undefined,
  RegExp,
  string?,
])[] = [
  ["gptq", gptq, ".qweight", [8, 24], /do not fit 24 x 64/],
  ["gptq", gptq, ".qweight", [8], /2 dimensions/],
  ["gptq", gptq, ".qweight", [0, 16], /and values/],
  ["gptq", gptq, ".qweight", [8, 16], /I32/, "F16"],
  ["gptq", gptq, ".qweight", undefined, /the codes are missing/],
  ["gptq", gptq, ".qzeros", [2, 3], /do not fit/],
  ["gptq", gptq, ".qzeros", [3, 2], /do not fit/],
  ["gptq", gptq, ".qzeros", undefined, /its zeros are missing/],
  ["gptq", gptq, ".scales", [2, 8], /do not fit/],
  ["gptq", gptq, ".scales", [2, 16], /F16 or BF16 or F32/, "F8_E4M3"],
  ["gptq", gptq, ".g_idx", [63], /groups of 32 for 64 columns/],
  ["gptq", gptq, ".g_idx", [64], /I32/, "I64"],
  ["awq", awq, ".qweight", [96, 2], /2 groups of 32 for 96 columns/],
  ["awq", awq, ".qweight", [64, 3], /do not fit 24 x 64/],
  ["awq", awq, ".scales", [1, 16], /do not fit/],
  ["packed", packed, ".weight_packed", [16, 9], /codes are not those of 16 x 64/],
  ["packed", packed, ".weight_packed", [8, 8], /codes are not those of 16 x 64/],
  ["packed", packed, ".weight_shape", undefined, /any shape/],
  ["packed", packed, ".weight_shape", [3], /pair of integers/],
  ["packed", packed, ".weight_shape", [2], /no shape: 0 x 0/],
  ["packed", packed, ".weight_scale", [16, 3], /rows nor columns nor blocks \(1 x 32\)/],
  ["packed", packed, ".weight_scale", [8, 2], /rows nor columns nor blocks/],
  ["packed", packed, ".weight_zero_point", [3, 2], /zero points are not those of 16 x 2/],
  ["packed", packed, ".weight_zero_point", [2, 1], /zero points/],
  ["packed", packed, ".weight_g_idx", [65], /groups are not those of 64 columns/],
  ["fp8", fp8, "_scale_inv", [2, 4], /rows nor columns nor blocks \(16 x 16\)/],
  ["fp8", fp8, "_scale_inv", [1, 5], /rows nor columns nor blocks/],
  ["fp8", fp8, "_scale_inv", [1, 1, 2], /other matrices/],
  ["fp8", fp8, "_scale_inv", [2, 1, 4], /other matrices/],
  ["fp8", fp8, "layer.weight", [16, 64], /have to be/, "U8"],
  ["fp8", fp8, "layer.weight", undefined, /the codes are missing/],
  ["mxfp4", mxfp4, "_blocks", [2, 16, 2, 8], /blocks of 16 bytes/],
  ["mxfp4", mxfp4, "_blocks", [64, 16], /blocks of 16 bytes/],
  ["mxfp4", mxfp4, "_scales", [2, 16, 3], /blocks of 16 bytes/],
  ["mxfp4", mxfp4, "_scales", undefined, /its scales are missing/],
];

describe("parts of quantized weights that do not fit", () => {
  for (const [kind, config, end, shape, says, dtype] of misfits) {
    it(`${kind}: ${end} ${shape?.join(" x ") ?? "missing"} ${dtype ?? ""}`, async () => {
      const weights = withPart(whole[kind], end, shape, dtype);
      expect(weights).not.toEqual(whole[kind]);
      const reading = read({ "model.safetensors": buildSafetensors(weights) }, config);
      await expectError(reading, "ERR_FORMAT", says);
    });
  }

  it("names the weight and the shapes", async () => {
    const weights = withPart(whole.gptq, ".scales", [2, 8]);
    await expectError(
      read({ "model.safetensors": buildSafetensors(weights) }, gptq),
      "ERR_FORMAT",
      /tensor layer\.weight: .* \(.*layer\.qweight I32 \[8, 16\].*layer\.scales F16 \[2, 8\]/,
    );
  });

  it("a weight that is there twice", async () => {
    const twice = [...whole.gptq, built("layer.weight", "F16", [16, 64], new Uint8Array(2048))];
    const reading = read({ "model.safetensors": buildSafetensors(twice) }, gptq);
    await expectError(reading, "ERR_FORMAT", /as layer\.weight, once more/);
    const scales = [...whole.fp8, built("layer.weight_scale", "F32", [1], new Uint8Array(4))];
    const again = read({ "model.safetensors": buildSafetensors(scales) }, fp8);
    await expectError(again, "ERR_FORMAT", /is the same part as/);
  });

  it("a shape that is larger than the codes, or none", async () => {
    for (const [rows, columns] of [
      [16, 2 ** 52],
      [-16, 64],
      [16, -1],
    ]) {
      const shape = built("layer.weight_shape", "I64", [2], int64([rows!, columns!]));
      const weights = [...withPart(whole.packed, ".weight_shape", undefined), shape];
      const reading = read({ "model.safetensors": buildSafetensors(weights) }, packed);
      await expectError(reading, "ERR_FORMAT", /layer\.weight/);
    }
  });
});

describe("quantizations", () => {
  const cases: readonly (readonly [Record<string, unknown>, NibbleErrorCode, RegExp])[] = [
    [
      { quant_method: "bitsandbytes" },
      "ERR_UNSUPPORTED",
      /quantization_config\.quant_method is bitsandbytes.*original weights/,
    ],
    [{ load_in_4bit: true }, "ERR_UNSUPPORTED", /quant_method is missing/],
    [{ quant_method: "toString" }, "ERR_UNSUPPORTED", /quant_method is toString/],
    [{ quant_method: "gptq", bits: 3 }, "ERR_UNSUPPORTED", /bits is 3.*2, 4, 8/],
    [{ quant_method: "gptq" }, "ERR_FORMAT", /bits/],
    [
      { quant_method: "gptq", bits: 4, checkpoint_format: "marlin" },
      "ERR_UNSUPPORTED",
      /checkpoint_format is marlin/,
    ],
    [{ quant_method: "gptq", bits: 4, group_size: 0 }, "ERR_FORMAT", /group_size/],
    [{ quant_method: "awq", bits: 4, version: "gemv" }, "ERR_UNSUPPORTED", /version is gemv/],
    [{ quant_method: "modelopt", quant_algo: "NVFP4" }, "ERR_UNSUPPORTED", /quant_algo is NVFP4/],
    [{ quant_method: "fp8", weight_block_size: [128] }, "ERR_FORMAT", /pair of sizes/],
    [{ quant_method: "fp8", weight_block_size: [128, 0] }, "ERR_FORMAT", /pair of sizes/],
    [
      { quant_method: "compressed-tensors", config_groups: { a: 1 } },
      "ERR_FORMAT",
      /config_groups/,
    ],
  ];
  for (const [quantization_config, code, says] of cases) {
    it(`refuses ${JSON.stringify(quantization_config)}`, async () => {
      const weights = { "model.safetensors": buildSafetensors(whole.gptq) };
      await expectError(read(weights, { quantization_config }), code, says);
    });
  }

  it("are found in the files of older checkpoints", async () => {
    const config = { bits: 4, group_size: 32, desc_act: false };
    const files = { "model.safetensors": buildSafetensors(whole.gptq) };
    const { tensors } = await read({ ...files, "quantize_config.json": JSON.stringify(config) });
    expect(tensors).toMatchObject([{ name: "layer.weight", shape: [16, 64] }]);
    const old = { w_bit: 4, q_group_size: 32, version: "GEMM", zero_point: true };
    const awqFiles = { "model.safetensors": buildSafetensors(whole.awq) };
    const read2 = await read({ ...awqFiles, "quant_config.json": JSON.stringify(old) });
    expect(read2.tensors).toMatchObject([{ name: "layer.weight", shape: [16, 64] }]);
  });
});

const plain = (name: string, dtype = "F32", bytes = 16) =>
  built(name, dtype, [4], new Uint8Array(bytes));
const shard = (...names: string[]) => buildSafetensors(names.map((name) => plain(name)));
const index = (map: Record<string, string>) => JSON.stringify({ weight_map: map });
const names = [1, 2].map((i) => `model-0000${i}-of-00002.safetensors`) as [string, string];

describe("shards", () => {
  it("are read as their index or their names say", async () => {
    const shards = { [names[0]]: shard("a", "b"), [names[1]]: shard("c") };
    const map = { a: names[0], b: names[0], c: names[1] };
    for (const files of [shards, { ...shards, "model.safetensors.index.json": index(map) }]) {
      const read1 = await read(files);
      expect(read1.tensors.map(({ name }) => name)).toEqual(["a", "b", "c"]);
      expect(read1.files).toHaveLength(2);
    }
  });

  it("that are missing are named", async () => {
    const map = index({ a: names[0], c: names[1] });
    const says = /model-00002-of-00002\.safetensors: a shard of the model is missing/;
    const files = { [names[0]]: shard("a") };
    await expectError(read(files), "ERR_IO", says);
    await expectError(read({ ...files, "model.safetensors.index.json": map }), "ERR_IO", says);
  });

  it("that hold less or more than the index says, or the same twice, are refused", async () => {
    const map = index({ a: names[0], b: names[1] });
    const files = { "model.safetensors.index.json": map, [names[0]]: shard("a") };
    await expectError(
      read({ ...files, [names[1]]: shard("x") }),
      "ERR_FORMAT",
      /b.*does not hold it/,
    );
    await expectError(
      read({ ...files, [names[1]]: shard("b", "x") }),
      "ERR_FORMAT",
      /lacks x, which model-00002/,
    );
    await expectError(
      read({ ...files, [names[1]]: shard("a", "b") }),
      "ERR_FORMAT",
      /stands in another shard too/,
    );
  });

  it("in a pickle are refused, with what to do", async () => {
    const files = { "pytorch_model-00001-of-00002.bin": "" };
    await expectError(read(files), "ERR_UNSUPPORTED", /PyTorch pickle.*make safetensors/);
    await expectError(read({ "consolidated.00.pth": "" }), "ERR_UNSUPPORTED", /PyTorch pickle/);
  });
});

describe("tensors that are no weights", () => {
  it("are told, and refused only by whoever needs them", async () => {
    const rows = [
      plain("float", "F64", 32),
      plain("mask", "BOOL", 4),
      plain("ids", "I64", 32),
      built("scalar", "F32", [], new Uint8Array(4)),
      plain("weight"),
    ];
    const { tensors } = await read({ "model.safetensors": buildSafetensors(rows) });
    const reasons = Object.fromEntries(tensors.map((one) => [one.name, one.unreadable?.message]));
    expect(reasons["float"]).toMatch(/float has type F64; Nibble converts weights of F32/);
    expect(reasons["mask"]).toMatch(/BOOL/);
    expect(reasons["ids"]).toMatch(/I64/);
    expect(reasons["scalar"]).toMatch(/has the shape \[\]/);
    expect(reasons["weight"]).toBeUndefined();
  });
});
