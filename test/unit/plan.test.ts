import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { format, formats, type FormatName } from "../../src/formats.js";
import { decideTypes, makePlan, summarizePlan, type PlanOptions } from "../../src/plan/plan.js";
import type { QuantizePlan } from "../../src/plan/types.js";
import type { ImportanceMatrix } from "../../src/imatrix/types.js";
import type { ModelInfo, TensorInfo } from "../../src/sources/model-info.js";
import { makeableRecipes } from "../helpers/makeable-recipes.js";
import { syntheticModel, tensor, tiedLlama } from "../helpers/synthetic-model.js";

function planTypes({ tensors }: QuantizePlan): Record<string, string> {
  return Object.fromEntries(tensors.map(({ name, to }) => [name, to]));
}

function metadataOf({ metadata }: QuantizePlan, key: string): unknown {
  return metadata.find((entry) => entry.key === key)?.value;
}

function planError(code: string, ...parts: string[]): Error {
  return expect.objectContaining({
    code,
    message: expect.stringMatching(parts.join(".*")) as string,
  }) as Error;
}

describe("makePlan", () => {
  const model = syntheticModel([
    tensor("blk.10.attn_v.weight", [256, 256], "F32"),
    tensor("blk.2.attn_v.weight", [256, 256], "F32"),
    tensor("blk.2.attn_k.weight", [256, 256], "F32"),
    tensor("token_embd.weight", [256, 512], "F32"),
    tensor("output_norm.weight", [256], "F32"),
  ]);
  const untied = syntheticModel([...model.tensors, tensor("output.weight", [256, 512], "F16")]);

  it("orders as llama-quantize does: what has no layer, then layer by layer", () => {
    const plan = makePlan(model, { recipe: "Q8_0" });
    expect(plan.tensors.map(({ name }) => name)).toEqual([
      "output_norm.weight",
      "token_embd.weight",
      "blk.2.attn_k.weight",
      "blk.2.attn_v.weight",
      "blk.10.attn_v.weight",
    ]);
  });

  it.each<[string, ModelInfo, PlanOptions, Record<string, string>]>([
    ["tied embedding", model, { recipe: "Q4_0" }, { token_embd: "Q6_K" }],
    ["an embedding beside an output", untied, { recipe: "Q4_0" }, { token_embd: "Q4_0" }],
    ["pure", model, { recipe: "Q4_0", pure: true }, { token_embd: "Q4_0" }],
    ["left output", untied, { recipe: "Q4_0", leaveOutputTensor: true }, { output: "F16" }],
    ["output type", untied, { recipe: "Q4_0", outputTensorType: "q5_1" }, { output: "Q5_1" }],
    [
      "output type of a tied embedding",
      model,
      { recipe: "Q4_0", outputTensorType: "Q5_1" },
      { token_embd: "Q5_1" },
    ],
    [
      "embedding type above output type",
      model,
      { recipe: "Q4_0", outputTensorType: "Q5_1", tokenEmbeddingType: "Q8_0" },
      { token_embd: "Q8_0" },
    ],
    [
      "output type in a recipe that does not quantize",
      untied,
      { recipe: "F16", outputTensorType: "Q8_0" },
      { output: "Q8_0", token_embd: "F16" },
    ],
    [
      "left output above output type",
      untied,
      { recipe: "Q4_0", leaveOutputTensor: true, outputTensorType: "Q8_0" },
      { output: "F16" },
    ],
  ])("%s", (_, source, options, expected) => {
    const types = planTypes(makePlan(source, options));
    for (const [name, type] of Object.entries(expected)) expect(types[`${name}.weight`]).toBe(type);
  });

  it("makes F32 of what a Hugging Face directory has in 16 bits and is never quantized", () => {
    const plan = makePlan(tiedLlama("BF16", "hf"), { recipe: "Q8_0" });
    expect(planTypes(plan)["blk.0.attn_norm.weight"]).toBe("F32");
    const gguf = syntheticModel([tensor("blk.0.attn_norm.weight", [256], "F16")]);
    expect(planTypes(makePlan(gguf, { recipe: "Q8_0" }))["blk.0.attn_norm.weight"]).toBe("F16");
  });

  it("falls back to F16 where 32 does not divide the row, and warns", () => {
    const odd = syntheticModel([
      tensor("blk.0.ffn_down.weight", [172, 64], "F32"),
      tensor("blk.1.ffn_down.weight", [172, 64], "F32"),
    ]);
    for (const recipe of ["Q6_K", "Q4_0", "Q8_0"] as const) {
      const plan = makePlan(odd, { recipe });
      expect(planTypes(plan)["blk.0.ffn_down.weight"]).toBe("F16");
      expect(plan.warnings).toEqual([
        `rows that do not fit ${recipe}: F16 for 2 tensors (blk.0.ffn_down.weight, blk.1.ffn_down.weight)`,
      ]);
    }
  });

  it("refuses an option's type that the rows do not fit", () => {
    const odd = syntheticModel([tensor("token_embd.weight", [172, 64], "F32")]);
    expect(() => makePlan(odd, { recipe: "Q8_0", tokenEmbeddingType: "Q4_0" })).toThrow(
      planError("ERR_PLAN", "token_embd.weight", "172", "Q4_0", "32", "--token-embedding-type"),
    );
    const q1 = [{ pattern: "embd", type: "Q1_0" }];
    expect(() => makePlan(odd, { recipe: "Q8_0", tensorTypes: q1 })).toThrow(
      planError("ERR_PLAN", "token_embd.weight", "172", "Q1_0", "128", "--tensor-type"),
    );
  });

  it("requantizes only with leave, and warns then", () => {
    const quantized = syntheticModel([tensor("blk.0.attn_v.weight", [256, 256], "Q8_0")]);
    expect(() => makePlan(quantized, { recipe: "Q4_0" })).toThrow(
      planError("ERR_PLAN", "blk.0.attn_v.weight", "Q8_0", "Q4_0", "--allow-requantize"),
    );
    expect(() => makePlan(quantized, { recipe: "F32" })).toThrow(planError("ERR_PLAN"));
    const plan = makePlan(quantized, { recipe: "Q4_0", allowRequantize: true });
    expect(plan.tensors[0]).toMatchObject({ from: "Q8_0", to: "Q4_0" });
    expect(plan.warnings).toEqual([expect.stringContaining("quantized already, as Q8_0")]);
    expect(makePlan(quantized, { recipe: "Q8_0" }).warnings).toEqual([]);
  });

  it("copies a type without a codec, and refuses to convert it", () => {
    const opaque = syntheticModel([
      tensor("blk.0.attn_v.weight", [256, 256], "F64"),
      tensor("blk.0.ffn_gate_tid2eid.weight", [6, 100], "I32"),
    ]);
    const kept = [{ pattern: "attn_v", type: "F64" }];
    const plan = makePlan(opaque, { recipe: "Q8_0", tensorTypes: kept });
    expect(plan.tensors.map(({ to }) => to)).toEqual(["F64", "I32"]);
    expect(() => makePlan(opaque, { recipe: "Q8_0", allowRequantize: true })).toThrow(
      planError("ERR_UNSUPPORTED", "blk.0.attn_v.weight", "F64"),
    );
  });

  it("asks for an importance matrix where a type cannot do without", () => {
    const one = (name: string, type: FormatName = "F32"): ModelInfo =>
      syntheticModel([tensor(name, [256, 256], type)]);
    const names = (type: string): Error => planError("ERR_PLAN", "blk.0.ffn_up", type, "--imatrix");
    const source = one("blk.0.ffn_up.weight");
    expect(() => makePlan(source, { recipe: "IQ2_M" })).toThrow(names("IQ2_S"));
    expect(() => makePlan(source, { recipe: "Q2_K_S" })).toThrow(names("Q2_K"));
    // With one it is only the missing codec that may stop it.
    const options = { recipe: "IQ2_M", hasImportance: true } as const;
    expect(decideTypes(source, options)[0]?.choice.to).toBe("IQ2_S");
    const copied = makePlan(one("blk.0.ffn_up.weight", "IQ2_S"), { recipe: "IQ2_M" });
    expect(copied.tensors[0]?.to).toBe("IQ2_S");
    expect(() => makePlan(source, { recipe: "Q2_K" })).not.toThrow(planError("ERR_PLAN"));
    const embedding = one("token_embd.weight");
    const typed = (type: string) => () =>
      makePlan(embedding, { recipe: "Q4_0", tokenEmbeddingType: type });
    expect(typed("IQ2_XXS")).toThrow(planError("ERR_PLAN", "token_embd", "--imatrix"));
    expect(typed("IQ2_S")).not.toThrow(planError("ERR_PLAN"));
  });

  it("copies every tensor and its file type, whatever the options", () => {
    const fileType = { key: "general.file_type", type: "u32", value: 15 } as const;
    const tensors = [
      tensor("blk.0.attn_v.weight", [256, 256], "IQ2_XXS"),
      tensor("output.weight", [172, 256], "F16"),
    ];
    const source = syntheticModel(tensors, { metadata: [fileType] });
    const plan = makePlan(source, {
      ...{ recipe: "COPY", pure: true, outputTensorType: "Q8_0" },
      tensorTypes: [{ pattern: ".", type: "Q8_0" }],
    });
    expect(planTypes(plan)).toEqual({ "blk.0.attn_v.weight": "IQ2_XXS", "output.weight": "F16" });
    expect(metadataOf(plan, "general.file_type")).toBe(15);
    expect(plan.warnings).toEqual([
      expect.stringContaining("--output-tensor-type has no effect"),
      expect.stringContaining("the recipe COPY does not quantize"),
    ]);
    const directory = makePlan(tiedLlama("BF16", "hf"), { recipe: "COPY" });
    expect(planTypes(directory)).toMatchObject({
      "token_embd.weight": "BF16",
      "blk.0.attn_norm.weight": "F32",
    });
  });

  it("does not count, for a place, tensors that an option decides", () => {
    const layered = syntheticModel(
      [0, 1, 2, 3].map((layer) => tensor(`blk.${layer}.attn_v.weight`, [256, 256], "F32")),
    );
    const tensorTypes = [{ pattern: "blk.1.", type: "Q8_0" }];
    const decided = decideTypes(layered, { recipe: "Q3_K_M", tensorTypes });
    expect(decided.map(({ choice }) => choice.to)).toEqual(["Q5_K", "Q8_0", "Q5_K", "Q4_K"]);
  });

  it("works for an architecture that nobody knows, and for none", () => {
    const types = (source: ModelInfo): object => planTypes(makePlan(source, { recipe: "Q4_0" }));
    const known = types(model);
    expect(types(syntheticModel(model.tensors, { architecture: "unheard-of" }))).toEqual(known);
    expect(types({ ...model, metadata: [] })).toEqual(known);
    expect(types({ ...model, tensors: [] })).toEqual({});
  });

  it("keeps the metadata's entries and order, and sets its own last", () => {
    const raw = Object.defineProperty(
      { key: "odd", type: "string" as const, value: "\ufffd" },
      "raw",
      { value: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff) },
    );
    const source = syntheticModel([], {
      metadata: [
        { key: "general.file_type", type: "u32", value: 0 },
        { key: "split.no", type: "u16", value: 0 },
        { key: "split.count", type: "u16", value: 2 },
        raw,
        { key: "split.tensors.count", type: "i32", value: 9 },
        { key: "general.quantization_version", type: "u32", value: 1 },
        { key: "split.other", type: "u8", value: 1 },
      ],
    });
    const { metadata } = makePlan(source, { recipe: "Q5_1" });
    expect(metadata.map(({ key, value }) => [key, value])).toEqual([
      ["general.architecture", "llama"],
      ["odd", "\ufffd"],
      ["split.other", 1],
      ["general.quantization_version", 2],
      ["general.file_type", 9],
    ]);
    expect(metadata[1]).toBe(raw);
  });

  it("warns of options that decide nothing", () => {
    const none = syntheticModel([tensor("blk.0.attn_v.weight", [256, 256], "F32")]);
    const { warnings } = makePlan(none, {
      recipe: "Q4_0",
      outputTensorType: "Q8_0",
      tokenEmbeddingType: "Q8_0",
    });
    expect(warnings).toEqual([
      expect.stringContaining("--output-tensor-type"),
      expect.stringContaining("--token-embedding-type"),
    ]);
  });

  it("never plans what cannot be written", () => {
    const names = ["token_embd.weight", "output.weight", "blk.0.attn_v.weight", "blk.7.x.bias"];
    // Rows that do not fit these two are an error.
    const withFallback = makeableRecipes
      .map(({ name }) => name)
      .filter((name) => name !== "Q1_0" && name !== "NVFP4");
    const types = formats.filter(({ codec }) => codec).map(({ name }) => name);
    fc.assert(
      fc.property(
        fc.constantFrom(...withFallback),
        fc.boolean(),
        fc.uniqueArray(
          fc.record({
            name: fc.constantFrom(...names),
            blocks: fc.integer({ min: 1, max: 40 }),
            rows: fc.integer({ min: 1, max: 5 }),
            type: fc.constantFrom(...types),
          }),
          { selector: ({ name }) => name },
        ),
        (recipe, pure, rows) => {
          const tensors = rows.map(({ name, blocks, rows: count, type }) =>
            tensor(name, [blocks * format(type).values, count], type),
          );
          const plan = makePlan(syntheticModel(tensors), {
            ...{ recipe, pure, allowRequantize: true, imatrix: evenMatrix(tensors) },
          });
          expect(plan.tensors).toHaveLength(tensors.length);
          for (const { shape, to, bytes } of plan.tensors) {
            const { values, bytes: perBlock } = format(to);
            expect((shape[0] ?? 0) % values).toBe(0);
            expect(bytes).toBe(((shape[0] ?? 0) / values) * perBlock * (shape[1] ?? 0));
          }
        },
      ),
    );
  });
});

describe("a plan that keeps the files of a split model", () => {
  const [first, second] = [2, 1, 0].reduce<TensorInfo[][]>((files, layer, i) => {
    const value = tensor(`blk.${layer}.attn_v.weight`, [256, 256], "F32");
    const [file, offset] = i < 2 ? [0, 4096 * i] : [1, 0];
    (files[file] ??= []).push({ ...value, pieces: [{ file, offset, bytes: value.bytes }] });
    return files;
  }, []) as [TensorInfo[], TensorInfo[]];
  const files = [1, 2].map((part) => ({ path: `m-0000${part}-of-00002.gguf`, bytes: 0 }));
  const model = { ...syntheticModel([...second, ...first]), files };

  it("has the tensors in their order, and counts them in it", () => {
    const plan = makePlan(model, { recipe: "Q3_K_M", keepSplit: true });
    expect(plan.parts).toEqual([2, 1]);
    expect(Object.entries(planTypes(plan))).toEqual([
      ["blk.2.attn_v.weight", "Q5_K"],
      ["blk.1.attn_v.weight", "Q5_K"],
      ["blk.0.attn_v.weight", "Q4_K"],
    ]);
    expect(plan.metadata.some(({ key }) => key.startsWith("split."))).toBe(false);
  });

  it("takes other models as without", () => {
    for (const other of [{ ...model, container: "hf" } as const, syntheticModel(first)]) {
      const options = { recipe: "Q3_K_M" } as const;
      expect(makePlan(other, { ...options, keepSplit: true })).toEqual(makePlan(other, options));
    }
  });
});

/** A matrix that knows every column of every tensor. */
function evenMatrix(tensors: readonly TensorInfo[]): ImportanceMatrix {
  const entries = tensors.map(({ name, shape: [columns = 1] }) => ({
    ...{ name, columns, experts: 1 },
    sumsOfSquares: new Float32Array(columns).fill(1),
    counts: Float32Array.of(1),
  }));
  return { entries, chunks: 1, chunkSize: 512, datasets: [] };
}

describe("summarizePlan", () => {
  it("counts tensors and bytes by type", () => {
    const model = syntheticModel([
      tensor("blk.0.attn_v.weight", [256, 256], "F32"),
      tensor("blk.0.attn_k.weight", [256, 256], "F32"),
      tensor("blk.0.attn_norm.weight", [256], "F32"),
    ]);
    expect(summarizePlan(makePlan(model, { recipe: "Q8_0" }))).toEqual({
      types: [
        { type: "Q8_0", tensors: 2, bytes: 2 * 69632 },
        { type: "F32", tensors: 1, bytes: 1024 },
      ],
      tensors: 3,
      values: 131328,
      sourceBytes: 131328 * 4,
      bytes: 140288,
      bitsPerWeight: (140288 * 8) / 131328,
    });
    expect(summarizePlan(makePlan(syntheticModel([]), { recipe: "Q8_0" })).bitsPerWeight).toBe(0);
  });
});
