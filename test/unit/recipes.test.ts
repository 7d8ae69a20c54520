import { describe, expect, it } from "vitest";
import { format } from "../../src/formats.js";
import { nearestName } from "../../src/plan/nearest-name.js";
import { findRecipe, recipes, ruleFor, type RuleFacts } from "../../src/plan/recipes.js";

const facts: RuleFacts = { role: "output", architecture: "llama", experts: 0, rowFits: true };

describe("recipes", () => {
  it("have their own names and file types, and types that can be made", () => {
    expect(new Set(recipes.map(({ name }) => name)).size).toBe(recipes.length);
    expect(new Set(recipes.map(({ fileType }) => fileType)).size).toBe(recipes.length);
    for (const { type, rules } of recipes) {
      for (const made of [type, ...rules.map(({ to }) => to)]) {
        expect(format(made).codec, made).toBe(true);
      }
    }
  });

  it.each([
    ["F32", 0],
    ["F16", 1],
    ["Q4_0", 2],
    ["Q4_1", 3],
    ["Q8_0", 7],
    ["Q5_0", 8],
    ["Q5_1", 9],
    ["Q6_K", 18],
    ["BF16", 32],
  ])("%s is file type %i", (name, fileType) => {
    expect(findRecipe(name).fileType).toBe(fileType);
  });

  it("are found in any case", () => {
    expect(findRecipe("q6_k").name).toBe("Q6_K");
    expect(findRecipe("bf16").name).toBe("BF16");
  });

  it.each([
    ["Q4_O", "Q4_0"],
    ["q8", "Q8_0"],
    ["fp16", "F16"],
    ["Q6K", "Q6_K"],
    ["bfloat16", "BF16"],
  ])("suggest, for %s, %s", (wrong, right) => {
    expect(() => findRecipe(wrong)).toThrow(
      expect.objectContaining({
        code: "ERR_ARGUMENT",
        message: expect.stringContaining(`did you mean ${right}?`) as string,
      }) as Error,
    );
  });

  it("refuse a name of any length", () => {
    for (const name of ["", "Q".repeat(1_000_000)]) {
      expect(() => findRecipe(name)).toThrow(
        expect.objectContaining({ code: "ERR_ARGUMENT" }) as Error,
      );
    }
  });
});

describe("ruleFor", () => {
  const q4 = findRecipe("Q4_0");

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
  ])("gives, for %j, %s", (some, to) => {
    expect(ruleFor(q4, { ...facts, ...some })?.to).toBe(to);
  });
});

describe("nearestName", () => {
  it("counts insertions, deletions and replacements, whatever the case", () => {
    expect(nearestName("KITTEN", ["sitting", "mitten"])).toBe("mitten");
    expect(nearestName("abc", ["xabc", "ab"])).toBe("xabc");
    expect(nearestName("x", [])).toBeUndefined();
  });
});
