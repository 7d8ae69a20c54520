import { describe, expect, it } from "vitest";
import { modelFacts } from "../../src/plan/model-facts.js";
import type { MetadataEntry } from "../../src/sources/model-info.js";
import {
  falcon,
  llama70b,
  mixtral,
  shapeMetadata,
  syntheticModel,
  tensor,
} from "../helpers/synthetic-model.js";

const heads: MetadataEntry = {
  key: "deci.attention.head_count",
  type: "array",
  elementType: "u32",
  value: [32, 16, 0],
};

describe("modelFacts", () => {
  it("are those of the metadata", () => {
    expect(modelFacts(mixtral())).toEqual({
      architecture: "llama",
      experts: 8,
      gqa: 4,
      layers: 32,
      valueTensors: 32,
      is70B: false,
      tied: false,
    });
    expect(modelFacts(falcon())).toMatchObject({ gqa: 71, valueTensors: 32 });
    expect(modelFacts(llama70b())).toMatchObject({ gqa: 8, layers: 80, is70B: true });
  });

  it("take the first layer's heads where every layer has its own", () => {
    const shared = { ...heads, key: "deci.attention.head_count_kv", value: [8, 0, 0] };
    const options = { architecture: "deci", metadata: [heads, shared] };
    expect(modelFacts(syntheticModel([], options)).gqa).toBe(4);
    const none = { ...shared, value: [0, 8, 0] };
    expect(modelFacts(syntheticModel([], { ...options, metadata: [heads, none] })).gqa).toBe(0);
    expect(modelFacts(syntheticModel([], { ...options, metadata: [heads] })).gqa).toBe(1);
  });

  it.each<[string, number, number, number, boolean]>([
    ["llama", 80, 64, 0, false],
    ["llama", 80, 8, 0, true],
    ["llama", 80, 8, 8, false],
    ["llama", 32, 8, 0, false],
    ["qwen2", 80, 64, 0, true],
    ["jais2", 68, 64, 0, true],
    ["jais2", 80, 8, 0, false],
    ["qwen3", 80, 8, 0, false],
  ])("%s with %i layers, %i of 64 heads shared, %i experts: 70B %s", (...row) => {
    const [architecture, layers, shared, experts, is70B] = row;
    const metadata = shapeMetadata(architecture, layers, 64, shared, experts);
    expect(modelFacts(syntheticModel([], { architecture, metadata })).is70B).toBe(is70B);
  });

  it("make do with names where there is no metadata", () => {
    const source = syntheticModel([
      tensor("blk.4.attn_v.weight", [32, 32], "F32"),
      tensor("blk.1.attn_qkv.weight", [32, 32], "F32"),
      tensor("blk.1.attn_v.bias", [32], "F32"),
    ]);
    expect(modelFacts({ ...source, metadata: [] })).toEqual({
      architecture: "",
      experts: 0,
      gqa: 0,
      layers: 5,
      valueTensors: 2,
      is70B: false,
      tied: true,
    });
  });
});
