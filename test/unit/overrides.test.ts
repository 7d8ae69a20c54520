import { describe, expect, it } from "vitest";
import { compileOverrides, findType, parseOverride } from "../../src/plan/overrides.js";
import { makePlan, type PlanOptions } from "../../src/plan/plan.js";
import { syntheticModel, tensor } from "../helpers/synthetic-model.js";

const model = syntheticModel([
  tensor("token_embd.weight", [256, 512], "F32"),
  tensor("output.weight", [256, 512], "F32"),
  tensor("blk.0.attn_v.weight", [256, 256], "F32"),
  tensor("blk.0.attn_norm.weight", [256], "F32"),
  tensor("blk.0.ffn_down.weight", [768, 256], "F32"),
]);

function types(options: Partial<PlanOptions>): Record<string, string> {
  const { tensors } = makePlan(model, { recipe: "Q4_0", ...options });
  return Object.fromEntries(tensors.map(({ name, to }) => [name.replace(/\.weight$/, ""), to]));
}

function overridden(...overrides: string[]): Partial<PlanOptions> {
  return { tensorTypes: overrides.map(parseOverride) };
}

function argumentErrorWith(text: string): Error {
  return expect.objectContaining({
    code: "ERR_ARGUMENT",
    message: expect.stringContaining(text) as string,
  }) as Error;
}

describe("parseOverride", () => {
  it("separates at the last =", () => {
    expect(parseOverride("ffn_.*=q6_k")).toEqual({ pattern: "ffn_.*", type: "q6_k" });
    expect(parseOverride("a(?=b)=Q8_0")).toEqual({ pattern: "a(?=b)", type: "Q8_0" });
  });

  it.each(["", "ffn", "=Q8_0", "ffn=", "="])("refuses %j", (text) => {
    expect(() => parseOverride(text)).toThrow(argumentErrorWith("REGEX=TYPE"));
  });
});

describe("compileOverrides", () => {
  it.each(["(", "[z-a]", "*", "a{2,1}"])("refuses the pattern %s", (pattern) => {
    expect(() => compileOverrides([{ pattern, type: "Q8_0" }])).toThrow(
      argumentErrorWith("a valid regular expression"),
    );
  });

  it("bounds the length of a pattern", () => {
    expect(compileOverrides([{ pattern: "a".repeat(1000), type: "F16" }])).toHaveLength(1);
    expect(() => compileOverrides([{ pattern: "a".repeat(1001), type: "F16" }])).toThrow(
      argumentErrorWith("at most 1000"),
    );
  });

  it("suggests the nearest type", () => {
    expect(() => compileOverrides([{ pattern: "a", type: "Q6K" }])).toThrow(
      argumentErrorWith("did you mean Q6_K?"),
    );
    expect(() => findType("--output-tensor-type", "Q4_K_M")).toThrow(
      argumentErrorWith("--output-tensor-type"),
    );
  });
});

describe("--tensor-type", () => {
  it("searches anywhere in the name, in any case", () => {
    expect(types(overridden("TTN_V=q8_0"))).toMatchObject({ "blk.0.attn_v": "Q8_0" });
  });

  it("takes the first that matches", () => {
    const chosen = types(overridden("attn=Q5_1", "blk=Q5_0"));
    expect(chosen).toMatchObject({ "blk.0.attn_v": "Q5_1", "blk.0.ffn_down": "Q5_0" });
  });

  it("stands above --pure and the rule for the output", () => {
    expect(types({ ...overridden("output=F16"), pure: true })).toMatchObject({ output: "F16" });
    expect(types(overridden("output=Q4_1"))).toMatchObject({ output: "Q4_1" });
  });

  it("stands below the options for output and embedding", () => {
    const chosen = types({
      ...overridden(".*=Q5_0"),
      outputTensorType: "q8_0",
      tokenEmbeddingType: "f16",
    });
    expect(chosen).toMatchObject({ output: "Q8_0", token_embd: "F16", "blk.0.attn_v": "Q5_0" });
  });

  it("leaves alone what is never quantized", () => {
    expect(types(overridden(".*=Q8_0"))).toMatchObject({ "blk.0.attn_norm": "F32" });
  });

  it("falls back where the rows do not fit", () => {
    const odd = syntheticModel([tensor("blk.0.ffn_down.weight", [96, 64], "F32")]);
    const plan = makePlan(odd, { recipe: "Q4_0", ...overridden("ffn=Q6_K") });
    expect(plan.tensors[0]?.to).toBe("Q8_0");
    expect(plan.tensors[0]?.reason).toBe("row of 96 is no multiple of 256 (Q6_K)");
  });

  it("is refused for a type without a codec", () => {
    expect(() => types(overridden("attn_v=F64"))).toThrow(
      expect.objectContaining({
        code: "ERR_UNSUPPORTED",
        details: { what: "conversion of blk.0.attn_v.weight", value: "F64" },
      }) as Error,
    );
  });

  it.each<[string, Partial<PlanOptions>, RegExp | undefined]>([
    ["matches nothing", overridden("nowhere=Q8_0"), /nowhere=Q8_0 matches no tensor/],
    ["matches only a norm", overridden("norm=Q8_0"), /norm=Q8_0 has no effect/],
    ["comes second", overridden("attn=Q5_1", "attn_v=Q5_0"), /attn_v=Q5_0 has no effect/],
    ["is for F16", { ...overridden("attn=Q5_1"), recipe: "F16" }, /F16 does not quantize/],
    ["has an effect", overridden("attn=Q5_1"), undefined],
  ])("warns where it %s", (_, options, warning) => {
    const { warnings } = makePlan(model, { recipe: "Q4_0", ...options });
    expect(warnings).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)]);
  });
});
