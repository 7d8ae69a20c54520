import { describe, expect, it } from "vitest";
import { nearestName } from "../../src/plan/nearest-name.js";
import { findRecipe, recipes } from "../../src/plan/recipes.js";

describe("recipes", () => {
  it("have their own names and file types", () => {
    expect(new Set(recipes.map(({ name }) => name)).size).toBe(recipes.length);
    expect(new Set(recipes.map(({ fileType }) => fileType)).size).toBe(recipes.length);
  });

  it.each([
    ["F32", 0],
    ["F16", 1],
    ["Q4_0", 2],
    ["Q4_1", 3],
    ["Q8_0", 7],
    ["Q5_0", 8],
    ["Q5_1", 9],
    ["Q2_K", 10],
    ["Q3_K_S", 11],
    ["Q3_K_M", 12],
    ["Q3_K_L", 13],
    ["Q4_K_S", 14],
    ["Q4_K_M", 15],
    ["Q5_K_S", 16],
    ["Q5_K_M", 17],
    ["Q6_K", 18],
    ["IQ2_XXS", 19],
    ["IQ2_XS", 20],
    ["Q2_K_S", 21],
    ["IQ3_XS", 22],
    ["IQ3_XXS", 23],
    ["IQ1_S", 24],
    ["IQ4_NL", 25],
    ["IQ3_S", 26],
    ["IQ3_M", 27],
    ["IQ2_S", 28],
    ["IQ2_M", 29],
    ["IQ4_XS", 30],
    ["IQ1_M", 31],
    ["BF16", 32],
    ["TQ1_0", 36],
    ["TQ2_0", 37],
    ["MXFP4_MOE", 38],
    ["NVFP4", 39],
    ["Q1_0", 40],
    ["Q2_0", 41],
    ["COPY", null],
  ])("%s is file type %s", (name, fileType) => {
    expect(findRecipe(name).fileType).toBe(fileType);
  });

  it("are found in any case", () => {
    expect(findRecipe("q6_k").name).toBe("Q6_K");
    expect(findRecipe("bf16").name).toBe("BF16");
  });

  it("are found by their aliases", () => {
    expect(findRecipe("Q3_K").name).toBe("Q3_K_M");
    expect(findRecipe("q4_k").name).toBe("Q4_K_M");
    expect(findRecipe("Q5_K").name).toBe("Q5_K_M");
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

describe("nearestName", () => {
  it("counts insertions, deletions and replacements, whatever the case", () => {
    expect(nearestName("KITTEN", ["sitting", "mitten"])).toBe("mitten");
    expect(nearestName("abc", ["xabc", "ab"])).toBe("xabc");
    expect(nearestName("x", [])).toBeUndefined();
  });
});
