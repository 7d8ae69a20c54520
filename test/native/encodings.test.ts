import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { format } from "../../src/formats.js";
import { loadAddon } from "../../src/native/load.js";
import { readWeights, type HfWeight } from "../../src/sources/hf-weights.js";
import { JsonFile } from "../../src/sources/json-file.js";
import { rowsOf, type SourceFile, type TensorInfo } from "../../src/sources/model-info.js";
import {
  awqWeight,
  built,
  bytesWeight,
  compressedWeight,
  e4m3,
  e5m2,
  gptqWeight,
  mxfp4Weight,
  type EncodedWeight,
} from "../helpers/encoded-weights.js";
import { buildSafetensors } from "../helpers/safetensors-builder.js";
import { readValues, writtenTensor } from "../helpers/source-tensor.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
let made = 0;

async function open(
  encoded: EncodedWeight,
  quantization?: Record<string, unknown>,
): Promise<{ weight: HfWeight; weights: readonly HfWeight[]; files: readonly SourceFile[] }> {
  const path = file(`${(made += 1)}/model.safetensors`);
  mkdirSync(dirname(path));
  writeFileSync(path, buildSafetensors(encoded.weights));
  const config = { torch_dtype: "bfloat16", quantization_config: quantization ?? null };
  const read = await readWeights(
    dirname(path),
    ["model.safetensors"],
    new JsonFile(join(dirname(path), "config.json"), config),
  );
  return { weight: read.tensors[0]!, weights: read.tensors, files: read.files };
}

function tensorOf({ name, shape, type, bytes, pieces }: HfWeight): TensorInfo {
  return { name, type, bytes, pieces, shape: [...shape].reverse() };
}

/** The values' bits have to be equal: formula and decoder both round once, in F32. */
async function expectValues(
  encoded: EncodedWeight,
  quantization: Record<string, unknown> | undefined,
  shape: readonly number[],
): Promise<void> {
  const { weight, weights, files } = await open(encoded, quantization);
  expect(weights).toHaveLength(1);
  expect(weight).toMatchObject({ shape, type: "BF16" });
  expect(weight.name).toMatch(/^layer\.weight$/);
  const tensor = tensorOf(weight);
  const values = await readValues(files, tensor);
  expect(Buffer.from(values.buffer).equals(Buffer.from(encoded.values.buffer))).toBe(true);
  // Read for comparing it is the same, and so are its rows as heads.
  const { stats } = await writtenTensor(files, tensor);
  expect(stats.maxAbsError).toBe(0);
}

const shapes = [
  { rows: 8, columns: 32 },
  { rows: 72, columns: 160 },
  // More than one tile, which ends within a block.
  { rows: 400, columns: 672 },
];
/** More than one tile of what lies by columns, which ends within a word. */
const large = { rows: 800, columns: 672 };

describe("FP8", () => {
  const block = [128, 128] as const;
  const cases = [
    { what: "without scales" },
    { what: "a scale", scaleShape: [] },
    { what: "a scale in a list", scaleShape: [1], scaleType: "BF16" },
    { what: "a scale per row", perRow: true, scaleName: "layer.weight_scale" },
    { what: "a scale per block", block },
    { what: "a scale of BF16 per block", block, scaleType: "BF16" },
    { what: "a scale per long block", block: [1, 48] as const, scaleType: "F16" },
    { what: "E5M2, a scale per block", block, dtype: "F8_E5M2" },
  ] as const;
  for (const { what, ...options } of cases) {
    it(what, async () => {
      for (const { rows, columns } of [...shapes, { rows: 5, columns: 3 }]) {
        const size =
          "block" in options
            ? options.block
            : "perRow" in options
              ? ([1, columns] as const)
              : undefined;
        const scaleShape =
          size === undefined
            ? "scaleShape" in options
              ? options.scaleShape
              : undefined
            : [Math.ceil(rows / size[0]), Math.ceil(columns / size[1])];
        const encoded = bytesWeight({
          ...{ rows, columns, seed: rows },
          ...options,
          ...(scaleShape && { scaleShape }),
          ...(size && { block: size }),
        });
        const quantization = { quant_method: "fp8", ...(size && { weight_block_size: [...size] }) };
        await expectValues(encoded, quantization, [rows, columns]);
      }
    });
  }

  it("a scale per row without its column, and no configuration", async () => {
    const [rows, columns] = [24, 40];
    const encoded = bytesWeight({ rows, columns, block: [1, columns], scaleShape: [rows] });
    await expectValues(encoded, undefined, [rows, columns]);
  });

  it("stacks of experts, each with blocks of its own", async () => {
    const [rows, columns, matrices] = [70, 90, 3];
    const encoded = bytesWeight({
      ...{ rows, columns, matrices, block: [32, 32], scaleShape: [3, 3, 3] },
      scaleName: "layer.weight_scale_inv",
    });
    const quantization = { quant_method: "fp8", weight_block_size: [32, 32] };
    await expectValues(encoded, quantization, [matrices, rows, columns]);
  });

  it("all 256 codes", async () => {
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const dtype of ["F8_E4M3", "F8_E5M2"] as const) {
      const finite = data.filter((byte) =>
        dtype === "F8_E4M3" ? (byte & 127) < 127 : (byte & 127) < 124,
      );
      const weights = [built("layer.weight", dtype, [1, finite.length], finite)];
      const { weight, files } = await open({ weights, values: new Float32Array() });
      const decoded = await readValues(files, tensorOf(weight));
      expect([...decoded]).toEqual([...finite].map(dtype === "F8_E4M3" ? e4m3 : e5m2));
    }
  });

  it("leaves plain weights and activation scales alone", async () => {
    const { weights } = bytesWeight({ rows: 8, columns: 8, scaleShape: [] });
    const norm = built("norm.weight", "BF16", [8], new Uint8Array(16));
    const scale = built("layer.input_scale", "F32", [1], new Uint8Array(4));
    const encoded = { weights: [...weights, norm, scale], values: new Float32Array() };
    const read = await open(encoded, { quant_method: "fp8" });
    expect(read.weights.map(({ name }) => name)).toEqual(["layer.weight", "norm.weight"]);
    expect(read.weights[1]!.pieces[0]!.encoding).toBeUndefined();
  });
});

describe("GPTQ", () => {
  const cases = [
    { what: "4 bit", bits: 4, groupSize: 32 },
    { what: "4 bit, in the order of activations", bits: 4, groupSize: 32, actOrder: true },
    { what: "4 bit, second format", bits: 4, groupSize: 32, zeroBias: 0 },
    { what: "4 bit, one group", bits: 4 },
    { what: "8 bit", bits: 8, groupSize: 32, actOrder: true },
    { what: "8 bit, without an index", bits: 8, groupSize: 128, withIndex: false },
    { what: "2 bit, groups of 48", bits: 2, groupSize: 48, scaleType: "BF16", even: 48 },
  ] as const;
  for (const { what, ...options } of cases) {
    it(what, async () => {
      for (const { rows, columns } of "actOrder" in options ? [...shapes, large] : shapes) {
        const size = { rows: Math.ceil(rows / 16) * 16, columns };
        const encoded = gptqWeight({ ...size, seed: rows, ...options });
        const quantization = {
          quant_method: "gptq",
          bits: options.bits,
          group_size: "groupSize" in options ? options.groupSize : -1,
          ...("zeroBias" in options && { checkpoint_format: "gptq_v2" }),
        };
        await expectValues(encoded, quantization, [size.rows, columns]);
      }
    });
  }
});

describe("AWQ", () => {
  for (const groupSize of [32, 128, undefined]) {
    it(`groups of ${groupSize ?? "all columns"}`, async () => {
      for (const { rows, columns } of [...shapes, large, { rows: 16, columns: 7 }]) {
        const group = groupSize ?? columns;
        if (groupSize !== 32 && rows === large.rows) continue;
        const encoded = awqWeight({ rows, columns, groupSize: group, seed: columns });
        const quantization = {
          quant_method: "awq",
          bits: 4,
          group_size: groupSize ?? -1,
          version: "gemm",
        };
        await expectValues(encoded, quantization, [rows, columns]);
      }
    });
  }
});

describe("compressed-tensors", () => {
  const group = (weights: Record<string, unknown>, form: string) => ({
    quant_method: "compressed-tensors",
    format: form,
    config_groups: { group_0: { targets: ["Linear"], weights } },
  });
  const packed = [
    { what: "4 bit", bits: 4, groupSize: 32 },
    { what: "4 bit with zero points in words", bits: 4, groupSize: 32, zeroPoints: "words" },
    { what: "4 bit with zero points in bytes", bits: 4, groupSize: 32, zeroPoints: "bytes" },
    { what: "4 bit by channel", bits: 4, scaleType: "BF16" },
    { what: "4 bit in the order of activations", bits: 4, groupSize: 32, index: "random" },
    { what: "4 bit with an empty index", bits: 4, groupSize: 32, index: "none" },
    { what: "8 bit", bits: 8, groupSize: 64, zeroPoints: "words" },
  ] as const;
  for (const { what, ...options } of packed) {
    it(what, async () => {
      for (const { rows, columns } of [...shapes, { rows: 11, columns: 37 }]) {
        const encoded = compressedWeight({ rows, columns, seed: columns, ...options });
        const weights = {
          num_bits: options.bits,
          type: "int",
          ...("groupSize" in options
            ? { strategy: "group", group_size: options.groupSize }
            : { strategy: "channel" }),
        };
        await expectValues(encoded, group(weights, "pack-quantized"), [rows, columns]);
      }
    });
  }

  it("bytes with a scale per row", async () => {
    for (const dtype of ["I8", "F8_E4M3"] as const) {
      const [rows, columns] = [70, 130];
      const encoded = bytesWeight({
        ...{ rows, columns, dtype, block: [1, columns], scaleShape: [rows, 1] },
        ...{ scaleName: "layer.weight_scale", scaleType: "BF16" },
      });
      const weights = { num_bits: 8, strategy: "channel", group_size: null };
      await expectValues(encoded, group(weights, "int-quantized"), [rows, columns]);
    }
  });
});

describe("MXFP4", () => {
  it("is packed in GGUF's order, and nothing else happens to it", async () => {
    for (const matrices of [1, 4]) {
      const [rows, columns] = [90, 96];
      const encoded = mxfp4Weight({ rows, columns, matrices });
      const { weight, files } = await open(encoded, { quant_method: "mxfp4" });
      expect(weight).toMatchObject({
        name: "experts.down_proj.weight",
        type: "MXFP4",
        shape: [matrices, rows, columns],
      });
      const tensor = tensorOf(weight);
      expect(await readValues(files, tensor)).toEqual(encoded.values);
      const { bytes } = await writtenTensor(files, tensor, "MXFP4");
      expect(loadAddon().dequantizeRows(format("MXFP4").id, bytes)).toEqual(encoded.values);
      // The scales are the source's own, also where a smaller one would do.
      const scales = encoded.weights[1]!.data;
      expect([...scales].every((scale, i) => bytes[i * 17] === scale)).toBe(true);
    }
  });
});

describe("stacks of encoded weights", () => {
  it("are joined, cut by rows and permuted like plain ones", async () => {
    const [rows, columns] = [64, 96];
    const encoded = [1, 2].map((seed) =>
      gptqWeight({ rows, columns, groupSize: 32, seed, name: `e${seed}` }),
    );
    const all = { weights: encoded.flatMap(({ weights }) => weights), values: new Float32Array() };
    const { weights, files } = await open(all, { quant_method: "gptq", bits: 4, group_size: 32 });
    const tensor: TensorInfo = {
      ...{ name: "stack", type: "BF16", shape: [columns, rows, 2] },
      bytes: 0,
      pieces: weights.flatMap(({ pieces }) => pieces),
      transform: { kind: "interleave-halves", headDim: 16 },
    };
    const values = Float32Array.from(encoded.flatMap((one) => [...one.values]));
    const wanted = Float32Array.from(values, (_, at) => {
      const [row, column] = [Math.floor(at / columns), at % columns];
      const within = row % 16;
      return values[(row - within + Math.floor(within / 2) + (within % 2) * 8) * columns + column]!;
    });
    expect(await readValues(files, tensor)).toEqual(wanted);
    const plusOne = { ...tensor, transform: { kind: "add-one" } } as const;
    expect(await readValues(files, plusOne)).toEqual(values.map((value) => Math.fround(value) + 1));
  });
});

describe("rows of encoded weights", () => {
  it("can be taken from the middle, across pieces", async () => {
    const [rows, columns] = [20, 64];
    const encoded = bytesWeight({ rows, columns, matrices: 3, scaleShape: [3, 1, 1] });
    const { weight, files } = await open(encoded, { quant_method: "fp8" });
    const pieces = rowsOf(rowsOf(weight.pieces, NaN, 5, 50), NaN, 10, 30);
    const tensor: TensorInfo = { ...tensorOf(weight), shape: [columns, 30], pieces };
    expect(await readValues(files, tensor)).toEqual(
      encoded.values.slice(15 * columns, 45 * columns),
    );
    const every = weight.pieces.slice(0, 1).map((piece) => ({
      ...piece,
      encoding: { ...piece.encoding!, rows: 7, firstRow: 1, rowStep: 3 },
    }));
    const third = { ...tensor, shape: [columns, 7], pieces: every };
    const wanted = encoded.values.filter((_, at) => {
      const row = Math.floor(at / columns);
      return row < rows && row % 3 === 1;
    });
    expect(await readValues(files, third)).toEqual(wanted);
  });
});

describe("a damaged index of groups", () => {
  for (const group of [-2, 3, 2 ** 31 - 1]) {
    it(`that names group ${group} is refused`, async () => {
      const encoded = gptqWeight({ rows: 8, columns: 96, groupSize: 32 });
      new DataView(encoded.weights[3]!.data.buffer).setInt32(4 * 70, group, true);
      const { weight, files } = await open(encoded, {
        quant_method: "gptq",
        bits: 4,
        group_size: 32,
      });
      await expect(readValues(files, tensorOf(weight))).rejects.toMatchObject({
        code: "ERR_FORMAT",
        message: expect.stringContaining(
          `layer.weight: its g_idx puts column 70 into group ${group}`,
        ) as string,
      });
    });
  }
});
