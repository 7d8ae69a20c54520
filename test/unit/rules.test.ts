import { describe, expect, it } from "vitest";
import { findRecipe, type RecipeName } from "../../src/plan/recipes.js";
import { placeFacts, ruleFor, type RuleFacts } from "../../src/plan/rules.js";

const facts: RuleFacts = {
  role: "output",
  architecture: "llama",
  experts: 0,
  gqa: 1,
  is70B: false,
  hasImportance: false,
  rowFits: true,
  stacked: false,
  ...placeFacts({ index: 12, count: 32 }, 12),
};

function made(recipe: RecipeName, some: Partial<RuleFacts>): string | undefined {
  return ruleFor(findRecipe(recipe).rules, { ...facts, ...some })?.to;
}

describe("ruleFor", () => {
  it.each<[Partial<RuleFacts>, string | undefined]>([
    [{}, "Q6_K"],
    [{ rowFits: false }, "Q8_0"],
    [{ architecture: "falcon" }, "Q8_0"],
    [{ role: "token_embd" }, undefined],
    [{ role: "attn_v" }, undefined],
    [{ role: "attn_v", experts: 8 }, "Q8_0"],
    [{ role: "attn_k", experts: 8 }, "Q8_0"],
    [{ role: "attn_qkv", experts: 8 }, "Q8_0"],
    [{ role: "attn_kv_b", experts: 8 }, "Q8_0"],
    [{ role: "attn_q", experts: 8 }, undefined],
    [{ role: "attn_v", experts: 16 }, undefined],
  ])("gives, for Q4_0 and %j, %s", (some, to) => {
    expect(made("Q4_0", some)).toBe(to);
  });

  it.each<[RecipeName, Partial<RuleFacts>, string | undefined]>([
    ["Q4_0", { role: "ffn_down", firstEighth: true, hasImportance: true }, "Q4_1"],
    ["Q5_0", { role: "ffn_down", firstEighth: true, hasImportance: true }, "Q5_1"],
    ["IQ4_XS", { role: "ffn_down", firstEighth: true, hasImportance: true }, undefined],
    ["IQ4_XS", { role: "ffn_down", firstEighth: true }, "Q5_K"],
    ["IQ3_XXS", { role: "attn_v" }, "IQ3_S"],
    ["IQ3_XXS", { role: "attn_v", hasImportance: true }, undefined],
    ["Q2_K", { role: "attn_v", gqa: 3 }, "Q3_K"],
    ["Q2_K", { role: "attn_v", gqa: 4 }, "Q4_K"],
    ["Q2_K", { role: "attn_v", gqa: 8, is70B: true }, "Q5_K"],
    ["Q2_K", { role: "attn_v", gqa: 8, is70B: true, experts: 8 }, "Q8_0"],
    ["Q3_K_M", { role: "attn_v", turn: 1 }, "Q5_K"],
    ["Q3_K_M", { role: "attn_v", turn: 2 }, "Q4_K"],
    ["Q3_K_L", { role: "attn_output" }, "Q5_K"],
    ["Q3_K_L", { role: "attn_output", experts: 8 }, undefined],
    ["Q4_K_M", { role: "attn_v", moreBits: true, is70B: true }, "Q6_K"],
    ["Q4_K_M", { role: "attn_v", moreBits: false, is70B: true }, "Q5_K"],
    ["Q4_K_M", { role: "ffn_down", architecture: "falcon", moreBits: true }, "Q5_K"],
    ["IQ1_S", { role: "ffn_down", firstEighthByTurn: true, firstEighth: false }, "Q2_K"],
    ["IQ1_S", { role: "ffn_down", firstEighthByTurn: false, firstEighth: true }, undefined],
    ["MXFP4_MOE", { role: "ffn_up", stacked: true }, "MXFP4"],
    ["MXFP4_MOE", { role: "other", stacked: true, architecture: "bailingmoe3" }, "Q8_0"],
    ["MXFP4_MOE", { role: "ffn_up" }, "Q8_0"],
  ])("gives, for %s and %j, %s", (recipe, some, to) => {
    expect(made(recipe, some)).toBe(to);
  });
});

describe("placeFacts", () => {
  function layersWith(
    count: number,
    fact: "firstEighth" | "firstSixteenth" | "middle" | "moreBits",
  ) {
    return Array.from({ length: count }, (_, i) => i).filter(
      (index) => placeFacts({ index, count }, index)[fact],
    );
  }

  it("counts eighths as integers do", () => {
    expect(layersWith(16, "firstEighth")).toEqual([0, 1]);
    expect(layersWith(17, "firstEighth")).toEqual([0, 1]);
    expect(layersWith(7, "firstEighth")).toEqual([]);
    expect(layersWith(33, "firstSixteenth")).toEqual([0, 1]);
    expect(layersWith(9, "middle")).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("gives more bits to the outer eighths and every third layer between", () => {
    expect(layersWith(16, "moreBits")).toEqual([0, 1, 4, 7, 10, 13, 14, 15]);
    expect(layersWith(1, "moreBits")).toEqual([0]);
    // Seven eighths of 7 are 6.
    expect(layersWith(7, "moreBits")).toEqual([2, 5, 6]);
  });
});
