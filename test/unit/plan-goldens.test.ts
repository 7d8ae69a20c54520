import { existsSync, readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { bytesOf, type FormatName } from "../../src/formats.js";
import { parseOverride } from "../../src/plan/overrides.js";
import type { Decided } from "../../src/plan/plan-warnings.js";
import { decideTypes, makePlan, type DecideOptions } from "../../src/plan/plan.js";
import { findRecipe, recipes, type RecipeName } from "../../src/plan/recipes.js";
import type { ModelInfo } from "../../src/sources/model-info.js";
import { openSource } from "../../src/sources/open.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { deepseek, falcon, llama70b, mixtral, tiedLlama } from "../helpers/synthetic-model.js";

/** What llama-quantize made of a model. */
interface Golden {
  readonly recipe: RecipeName;
  readonly pure?: boolean;
  readonly imatrix?: boolean;
  readonly tensor_type?: readonly string[];
  /** It made nothing. */
  readonly refused?: boolean;
  readonly file_type: number;
  readonly file_bytes: number;
  readonly tensors: Record<string, { type: FormatName; shape: number[] }>;
}

function golden(name: string): Golden {
  return JSON.parse(readFileSync(sharedData(`golden/${name}.json`), "utf8")) as Golden;
}

describeShared("plans of the shared models equal llama-quantize", () => {
  const sources = {
    stories260K: "stories260K/stories260K.gguf",
    "TinyStories-656K": "TinyStories-656K/TinyStories-656K-F32.gguf",
    "nibble-8m": "nibble-8m/hf",
  };
  const models = new Map<string, ModelInfo>();
  beforeAll(async () => {
    for (const [name, path] of Object.entries(sources)) {
      models.set(name, await openSource(sharedData(path)));
    }
  });
  const folder = sharedData("golden");
  const goldens = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => name.endsWith(".json") && name !== "perplexity.json")
    .map((name) => ({ name: name.slice(0, -5), model: name.slice(0, name.indexOf(".")) }));

  it.each(goldens)("$name", ({ name, model }) => {
    const expected = golden(name);
    const source = models.get(model) as ModelInfo;
    const options = optionsOf(expected);
    if (expected.refused === true) {
      expect(() => makePlan(source, options)).toThrow(
        expect.objectContaining({ code: "ERR_PLAN" }) as Error,
      );
      return;
    }
    const decided = decideTypes(source, options).map(({ tensor, choice }) => [
      tensor.name,
      choice.to,
    ]);
    // The goldens list tensors in the order of the file.
    expect(decided).toEqual(Object.entries(expected.tensors).map(([key, { type }]) => [key, type]));
    expect(findRecipe(expected.recipe).fileType).toBe(expected.file_type);
  });

  it.each(Object.keys(sources))("%s: the files differ in length by what the types say", (model) => {
    const headers = goldens
      .filter((one) => one.model === model)
      .map(({ name }) => golden(name))
      .filter(({ refused, imatrix }) => refused !== true && imatrix !== true)
      .map((expected) => {
        const decided = decideTypes(models.get(model) as ModelInfo, optionsOf(expected));
        const data = decided.reduce((sum, one) => sum + Math.ceil(bytesMade(one) / 32) * 32, 0);
        return expected.file_bytes - data;
      });
    expect(new Set(headers).size).toBe(1);
  });

  function optionsOf({ recipe, pure, imatrix, tensor_type: types }: Golden): DecideOptions {
    const tensorTypes = (types ?? []).map(parseOverride);
    return { recipe, pure, hasImportance: imatrix, tensorTypes };
  }
});

function bytesMade({ tensor: { shape }, choice }: Decided): number {
  const rows = shape.slice(1).reduce((product, length) => product * length, 1);
  return bytesOf(choice.to, shape[0] ?? 1, rows);
}

describe("types for well-known shapes", () => {
  it.each([
    ["tied-llama", tiedLlama()],
    ["mixtral", mixtral()],
    ["falcon", falcon()],
    ["llama-70b", llama70b()],
    ["deepseek", deepseek()],
  ])("%s", async (name, model) => {
    const lines = recipes.flatMap(({ name: recipe, fileType, type }) => {
      const [without, having] = [false, true].map((hasImportance) =>
        describeTypes(model, { recipe, hasImportance }),
      ) as [string[], string[]];
      const title = `${recipe}: ${type}, file type ${fileType}`;
      if (having.join() === without.join()) return [title, ...without, ""];
      return [title, ...without, "", `${title}, with importance`, ...having, ""];
    });
    await expect(lines.join("\n")).toMatchFileSnapshot(`../golden/plans/${name}.txt`);
  });

  /** A line for the bytes, and one for all tensors that deviate to the same type for the same reason. */
  function describeTypes(model: ModelInfo, options: DecideOptions): string[] {
    let decided;
    try {
      decided = decideTypes(model, options);
    } catch (error) {
      return [`  ${(error as Error).message}`];
    }
    const layers = new Map<string, number[]>();
    for (const { tensor, choice } of decided) {
      const [, layer, rest = tensor.name] = /^blk\.(\d+)\.(.*)$/.exec(tensor.name) ?? [];
      const line = `${rest.replace(/\.weight$/, "")}: ${choice.to} (${choice.reason})`;
      if (tensor.type === choice.to || choice.reason === "recipe") continue;
      layers.set(line, [
        ...(layers.get(line) ?? []),
        ...(layer === undefined ? [] : [Number(layer)]),
      ]);
    }
    const bytes = decided.reduce((sum, one) => sum + bytesMade(one), 0);
    const lines = [...layers].map(([line, numbers]) => `  ${ranges(numbers)}${line}`);
    return [`  ${bytes} bytes`, ...lines];
  }

  /** `0-3,6,9 `; nothing for what is in no layer. */
  function ranges(numbers: readonly number[]): string {
    const parts: [number, number][] = [];
    for (const number of numbers) {
      const last = parts.at(-1);
      if (last !== undefined && last[1] === number - 1) last[1] = number;
      else parts.push([number, number]);
    }
    const text = parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
    return text === "" ? "" : `${text} `;
  }
});
