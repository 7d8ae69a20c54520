import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { format, formats, type FormatName } from "../../src/formats.js";
import { makePlan, summarizePlan, type PlanOptions } from "../../src/plan/plan.js";
import { recipes, type RecipeName } from "../../src/plan/recipes.js";
import type { QuantizePlan } from "../../src/plan/types.js";
import type { ModelInfo } from "../../src/sources/model-info.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { falcon, mixtral, syntheticModel, tensor, tiedLlama } from "../helpers/synthetic-model.js";

interface Golden {
  readonly file_type: number;
  readonly file_bytes: number;
  readonly tensors: Record<string, { type: FormatName; shape: number[] }>;
}

function golden(name: string): Golden {
  return JSON.parse(readFileSync(sharedData(`golden/${name}.json`), "utf8")) as Golden;
}

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

describeShared("plans of the shared models equal llama-quantize", () => {
  const names = recipes.map(({ name }) => name);
  const pure = names.filter((name) => format(recipeType(name)).values > 1);
  const cases = [
    ...["stories260K", "TinyStories-656K", "nibble-8m"].flatMap((model) =>
      names.map((recipe) => ({ model, recipe, file: `${model}.${recipe}`, pure: false })),
    ),
    ...pure.map((recipe) => ({
      model: "nibble-8m",
      recipe,
      file: `nibble-8m.${recipe}.pure`,
      pure: true,
    })),
  ];

  it.each(cases)("$file", ({ model, recipe, file, pure: isPure }) => {
    const expected = golden(file);
    const plan = makePlan(fromGolden(model), { recipe, pure: isPure });
    const types = Object.entries(expected.tensors).map(([name, { type }]) => [name, type]);
    expect(planTypes(plan)).toEqual(Object.fromEntries(types));
    // The goldens list tensors in the order of the file.
    expect(plan.tensors.map(({ name }) => name)).toEqual(types.map(([name]) => name));
    expect(metadataOf(plan, "general.file_type")).toBe(expected.file_type);
  });

  it.each(["stories260K", "TinyStories-656K", "nibble-8m"])(
    "%s: the files differ in length by what the plans say",
    (model) => {
      const headers = cases
        .filter((one) => one.model === model)
        .map(({ recipe, file, pure: isPure }) => {
          const { tensors } = makePlan(fromGolden(model), { recipe, pure: isPure });
          const data = tensors.reduce((sum, { bytes }) => sum + Math.ceil(bytes / 32) * 32, 0);
          return golden(file).file_bytes - data;
        });
      expect(new Set(headers).size).toBe(1);
    },
  );

  function fromGolden(model: string): ModelInfo {
    const entries = Object.entries(golden(`${model}.F32`).tensors).reverse();
    return syntheticModel(entries.map(([name, { shape }]) => tensor(name, shape, "F32")));
  }
});

function recipeType(name: RecipeName): FormatName {
  return recipes.find((recipe) => recipe.name === name)?.type ?? "F32";
}

describe("plans of well-known shapes", () => {
  it.each([
    ["tied-llama", tiedLlama()],
    ["mixtral", mixtral()],
    ["falcon", falcon()],
  ])("%s", async (name, model) => {
    const plans = recipes.map(({ name: recipe }) => [
      recipe,
      describePlan(makePlan(model, { recipe })),
    ]);
    const text = `${JSON.stringify(Object.fromEntries(plans), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot(`../golden/plans/${name}.json`);
  });

  /** One line for the tensors of all layers that get the same type for the same reason. */
  function describePlan(plan: QuantizePlan): object {
    const layers = new Map<string, number[]>();
    for (const { name, from, to, reason } of plan.tensors) {
      const [, layer, rest = name] = /^blk\.(\d+)\.(.*)$/.exec(name) ?? [];
      const line = `${layer === undefined ? "" : "blk.*."}${rest}: ${from} -> ${to} (${reason})`;
      layers.set(line, [...(layers.get(line) ?? []), Number(layer ?? 0)]);
    }
    const { bytes, bitsPerWeight } = summarizePlan(plan);
    return {
      fileType: metadataOf(plan, "general.file_type"),
      bytes,
      bitsPerWeight: Number(bitsPerWeight.toFixed(4)),
      tensors: [...layers].map(([line, { length }]) => (length > 1 ? `${length} x ${line}` : line)),
      warnings: plan.warnings,
    };
  }
});

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
    const types = formats.filter(({ codec }) => codec).map(({ name }) => name);
    fc.assert(
      fc.property(
        fc.constantFrom(...recipes.map(({ name }) => name)),
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
          const plan = makePlan(syntheticModel(tensors), { recipe, pure, allowRequantize: true });
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
