import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { makePlan, type PlanOptions } from "../../src/plan/plan.js";
import { parseLayers } from "../../src/plan/prune-layers.js";
import type { MetadataEntry, ModelInfo } from "../../src/sources/model-info.js";
import { importanceEntry, importanceMatrix } from "../helpers/imatrix-builder.js";
import {
  mixtral,
  shapeMetadata,
  syntheticModel,
  tensor,
  tiedLlama,
} from "../helpers/synthetic-model.js";

/** Layers that can be told apart: layer n has n + 2 rows. */
function countedModel(layers: number, more: readonly MetadataEntry[] = []): ModelInfo {
  const tensors = Array.from({ length: layers }, (_, layer) => [
    tensor(`blk.${layer}.ffn_down.weight`, [256, layer + 2], "F32"),
    tensor(`blk.${layer}.attn_norm.weight`, [256], "F32"),
  ]).flat();
  return syntheticModel([tensor("token_embd.weight", [256, 300], "F32"), ...tensors], {
    metadata: [...shapeMetadata("llama", layers, 8, 8), ...more],
  });
}

function prune(
  source: ModelInfo,
  pruneLayers: readonly number[],
  options: Partial<PlanOptions> = {},
) {
  return makePlan(source, { recipe: "Q8_0", pruneLayers, ...options });
}

function failure(run: () => unknown): [string, string] {
  try {
    run();
  } catch (error) {
    if (isNibbleError(error)) return [error.code, error.message];
  }
  return ["none", ""];
}

describe("parseLayers", () => {
  it.each([
    ["3", [3]],
    ["3,5-7", [3, 5, 6, 7]],
    ["7, 1,1-2", [1, 2, 7]],
    ["0-0", [0]],
  ])("%s", (text, layers) => expect(parseLayers("--prune-layers", text)).toEqual(layers));

  it.each(["", "a", "3,", "-1", "5-3", "1-99999999", "1.5", "0x1", "3;4"])("refuses %j", (text) =>
    expect(failure(() => parseLayers("--prune-layers", text))[0]).toBe("ERR_ARGUMENT"),
  );
});

describe("a plan without some layers", () => {
  it("has the other layers' tensors, numbered anew, and their bytes in the source", () => {
    const plan = prune(countedModel(6), [4, 1]);
    const rows = plan.tensors
      .filter(({ name }) => name.includes("ffn_down"))
      .map(({ name, shape }) => [name, shape[1]]);
    expect(rows).toEqual([0, 2, 3, 5].map((from, to) => [`blk.${to}.ffn_down.weight`, from + 2]));
    expect(plan.tensors).toHaveLength(9);
    const names = plan.source.tensors.map(({ name }) => name).sort();
    expect(names).toEqual(plan.tensors.map(({ name }) => name).sort());
    // llama-quantize sets it last.
    expect(plan.metadata.at(-1)).toEqual({ key: "llama.block_count", type: "u32", value: 4 });
    expect(plan.metadata.filter(({ key }) => key === "llama.block_count")).toHaveLength(1);
  });

  it("keeps everything for no layers", () => {
    expect(prune(countedModel(3), [])).toEqual(makePlan(countedModel(3), { recipe: "Q8_0" }));
  });

  it("makes metadata with a value per layer fit, and no others", () => {
    const perLayer = (key: string, value: readonly number[]): MetadataEntry => ({
      ...{ key, type: "array", elementType: "u32", value },
    });
    const more: readonly MetadataEntry[] = [
      perLayer("llama.feed_forward_length", [10, 20, 30, 40]),
      { key: "llama.flags", type: "array", elementType: "bool", value: [true, false, true, true] },
      perLayer("llama.rope.dimension_sections", [1, 2, 3, 4]),
      perLayer("llama.other", [1, 2, 3]),
      perLayer("tokenizer.ggml.token_type", [1, 2, 3, 4]),
      { key: "llama.leading_dense_block_count", type: "u32", value: 2 },
      { key: "llama.nextn_predict_layers", type: "u32", value: 1 },
    ];
    const { metadata, warnings } = prune(countedModel(4, more), [1, 2]);
    const value = (key: string) => metadata.find((entry) => entry.key === key)?.value;
    expect(value("llama.feed_forward_length")).toEqual([10, 40]);
    expect(value("llama.flags")).toEqual([true, true]);
    expect(value("llama.rope.dimension_sections")).toEqual([1, 2, 3, 4]);
    expect(value("llama.other")).toEqual([1, 2, 3]);
    expect(value("tokenizer.ggml.token_type")).toEqual([1, 2, 3, 4]);
    expect(value("llama.leading_dense_block_count")).toBe(1);
    expect(value("llama.nextn_predict_layers")).toBe(1);
    expect(warnings).toEqual([]);
    const last = prune(countedModel(4, more), [3]);
    expect(last.metadata.find(({ key }) => key === "llama.nextn_predict_layers")?.value).toBe(0);
  });

  it("does not keep the bytes of an array that it changed", () => {
    const entry = { key: "llama.x", type: "array", elementType: "u8", value: [1, 2] } as const;
    const raw = Object.defineProperty({ ...entry }, "raw", { value: Uint8Array.of(9) });
    const { metadata } = prune(countedModel(2, [raw]), [0]);
    const found = metadata.find(({ key }) => key === "llama.x");
    expect(found?.value).toEqual([2]);
    expect(found?.raw).toBeUndefined();
  });

  it("warns where the kind of a layer follows from its number", () => {
    const step: MetadataEntry = { key: "llama.full_attention_interval", type: "u32", value: 4 };
    expect(prune(countedModel(4, [step]), [0]).warnings.join()).toMatch(/full_attention_interval/);
    expect(prune(countedModel(4, [{ ...step, value: 1 }]), [0]).warnings).toEqual([]);
  });

  it("takes the importance of the tensor that a tensor was", () => {
    const of = (layer: number) =>
      importanceEntry(`blk.${layer}.ffn_down.weight`, [Array<number>(256).fill(2 * (layer + 1))]);
    const imatrix = importanceMatrix([of(0), of(1), of(2)]);
    const { importance, metadata } = prune(countedModel(3), [1], { imatrix });
    const values = [...(importance ?? [])].map(([name, columns]) => [name, columns[0]]);
    expect(values).toEqual([
      ["blk.0.ffn_down.weight", 1],
      ["blk.1.ffn_down.weight", 3],
    ]);
    // As llama-quantize counts: before layers are pruned.
    const count = metadata.find(({ key }) => key === "quantize.imatrix.entries_count");
    expect(count?.value).toBe(3);
    // The selection is about the matrix, so that its numbers are the source's.
    const second = prune(countedModel(3), [1], { imatrix, includeWeights: ["blk.2."] });
    expect([...(second.importance?.keys() ?? [])]).toEqual(["blk.1.ffn_down.weight"]);
  });

  it("counts values among those that are left, and other layers by the source's number of them", () => {
    // Of 16 layers' ffn_down the outer eighths are 0, 1, 14 and 15; of 8 values they are 0 and 7.
    const types = (recipe: "Q4_K_M", layers: readonly number[]) =>
      prune(tiedLlama(), layers, { recipe }).tensors;
    const better = (part: string) =>
      types("Q4_K_M", [0, 1, 2, 3, 4, 5, 6, 7])
        .filter(({ name, to }) => name.includes(part) && to === "Q6_K")
        .map(({ name }) => Number(name.split(".")[1]));
    expect(better("attn_v")).toEqual([0, 3, 6, 7]);
    expect(better("ffn_down")).toEqual([0, 1, 4, 7]);
  });

  it("prunes layers of experts", () => {
    const plan = prune(mixtral(), [31, 0], { recipe: "Q4_K_M" });
    expect(plan.tensors.some(({ name }) => name.startsWith("blk.30."))).toBe(false);
    expect(plan.metadata.find(({ key }) => key === "llama.block_count")?.value).toBe(30);
  });

  it.each<[string, readonly number[], string, RegExp]>([
    ["a layer that is not there", [0, 4], "ERR_PLAN", /no layer 4; the model has layers 0 to 3/],
    ["all layers", [0, 1, 2, 3], "ERR_PLAN", /no layer would be left/],
    ["a negative layer", [-1], "ERR_ARGUMENT", /counted from 0/],
    ["half a layer", [0.5], "ERR_ARGUMENT", /counted from 0/],
  ])("refuses %s", (_, layers, code, says) => {
    const [its, message] = failure(() => prune(countedModel(4), layers));
    expect(its).toBe(code);
    expect(message).toMatch(says);
  });

  it("refuses a model without layers", () => {
    const source = syntheticModel([tensor("token_embd.weight", [256, 300], "F32")]);
    expect(failure(() => prune(source, [0]))[1]).toMatch(/no layers/);
  });
});
