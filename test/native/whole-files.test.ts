import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { plan } from "../../src/plan/plan-source.js";
import { quantize, type QuantizeOptions } from "../../src/quantize/quantize.js";
import { splitModel } from "../../src/quantize/split-model.js";
import { buildGguf, type BuiltEntry, type BuiltTensor } from "../helpers/gguf-builder.js";
import { importanceEntry, importanceMatrix } from "../helpers/imatrix-builder.js";
import { randomWeights } from "../helpers/random.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

// Hashes of whole files by llama.cpp v0.5.0 (llama_model_quantize of the library that comes with node-llama-cpp), with the
// same source and options.

const file = temporaryFolder();
const layers = 8;

const shapes: Readonly<Record<string, readonly number[]>> = {
  "attn_norm.weight": [256],
  "attn_q.weight": [256, 256],
  "attn_v.weight": [256, 64],
  "ffn_up.weight": [256, 32],
  "ffn_down.weight": [256, 40],
};

const u32 = (key: string, value: number): BuiltEntry => ({ key, type: "u32", value });
const metadata: readonly BuiltEntry[] = [
  { key: "general.architecture", type: "string", value: "llama" },
  { key: "general.name", type: "string", value: "theirs" },
  u32("llama.block_count", layers),
  u32("llama.context_length", 128),
  u32("llama.embedding_length", 256),
  u32("llama.feed_forward_length", 32),
  u32("llama.attention.head_count", 8),
  u32("llama.attention.head_count_kv", 4),
  { key: "llama.attention.layer_norm_rms_epsilon", type: "f32", value: 1e-5 },
  u32("llama.vocab_size", 64),
];

function writeSource(): string {
  const blocks = Array.from({ length: layers }, (_, layer) =>
    Object.entries(shapes).map(([name, shape]) => [`blk.${layer}.${name}`, shape] as const),
  ).flat();
  const all = [["output.weight", [256, 64]], ...blocks, ["token_embd.weight", [256, 64]]] as const;
  const tensors = all.map(([name, shape], i): BuiltTensor => {
    const values = randomWeights(
      shape.reduce((a, b) => a * b),
      i + 1,
    );
    return { name, type: "F32", shape, data: new Uint8Array(values.buffer) };
  });
  writeFileSync(file("source.gguf"), buildGguf({ metadata, tensors }));
  return file("source.gguf");
}

/** Every column's number counts, differently in every layer. */
const imatrix = importanceMatrix(
  Array.from({ length: layers }, (_, layer) =>
    Object.keys(shapes)
      .slice(1)
      .map((name) => {
        const squares = Array.from({ length: 256 }, (_, i) => 1 + ((i * (layer + 3)) % 17));
        return importanceEntry(`blk.${layer}.${name}`, [squares], [1]);
      }),
  ).flat(),
  { chunks: 9 },
);

let parts: readonly string[];
beforeAll(async () => {
  const report = await splitModel(writeSource(), { prefix: file("source"), maxTensors: 15 });
  parts = report.parts.map(({ path }) => path);
});

const cases: readonly [string, Partial<QuantizeOptions>, readonly string[]][] = [
  [
    "in one file",
    { recipe: "Q4_K_M" },
    ["e10ce97d80d84f4394295769702955f2c9cb48b5a14d83f0bae1c44fae4fe7ec"],
  ],
  [
    "the files of the source",
    { recipe: "Q4_K_M", keepSplit: true },
    [
      "e19d01450bb59d4e027b8bc0b75321941bfb49b2a53e2903cab5a720261e9fb4",
      "aca6b191e53ce7f21d379b28420af8ade7a76fbde8527f0d211dcdb1710b3506",
      "45b37af43f086cba30a68a3f5cf99645f16fa275e99a288fc6af81c0a25aeccd",
    ],
  ],
  [
    "fewer layers",
    { recipe: "Q3_K_M", pruneLayers: [0, 5] },
    ["e38bc971172ee16490e6646487665fe89936647047d2e5423e959efb37e38335"],
  ],
  [
    "other metadata, that types follow from",
    {
      recipe: "Q4_K_M",
      overrideKv: [
        { key: "llama.attention.head_count_kv", type: "u32", value: 1 },
        { key: "general.name", type: "string", value: "Mine" },
        { key: "some.number", type: "f32", value: 0.1 },
      ],
    },
    ["66718a5a16eba2c223556f34b2e031f33d074e4556dedeb5c813c2d8ea5b4aa5"],
  ],
  [
    "all of it, with importance",
    {
      recipe: "IQ3_XXS",
      keepSplit: true,
      pruneLayers: [2, 6],
      imatrix,
      overrideKv: [{ key: "some.flag", type: "bool", value: true }],
    },
    [
      "7a0690c1f17764b8c76029f74fa4db7a126b1fccdb8accf184357a101b06d79a",
      "95cc6397763aa364b1b006f7c06cdbb0160ecc9542c7c858c50ccd20d893884f",
      "e0619cbaf10c79bac4cde20eb2e0e62f0217d611469249d8ff1e1bec380f3e57",
    ],
  ],
];

describe("whole files are llama-quantize's", () => {
  it.each(cases)("%s", async (what, options, hashes) => {
    const output = file(`${what.replace(/\W+/g, "-")}.gguf`);
    const report = await quantize(parts[0]!, { ...options, output });
    const paths = report.parts?.map(({ path }) => path) ?? [report.output];
    const sums = paths.map((path) => createHash("sha256").update(readFileSync(path)).digest("hex"));
    expect(sums).toEqual(hashes);
  });

  it("but not of a copy of a plan, which has lost the importance", async () => {
    const planned = await plan(parts[0]!, { recipe: "IQ2_XXS", imatrix });
    const output = file("copy.gguf");
    await expect(quantize({ ...planned }, { output })).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      message: expect.stringMatching(/as plan\(\) gave it/) as string,
    });
    expect((await quantize(planned, { output })).importanceCoverage?.covered).toBe(32);
  });
});
