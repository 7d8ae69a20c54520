import { describe, expect, it } from "vitest";
import type { RecipeName } from "../../src/plan/recipes.js";
import { quantize } from "../../src/quantize/quantize.js";
import { verify } from "../../src/quantize/verify.js";
import { buildGolden, hfGoldens } from "../helpers/hf-golden.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

async function hashes(path: string): Promise<Record<string, string>> {
  const { tensors, ok } = await verify(path);
  expect(ok).toBe(true);
  return Object.fromEntries(tensors.map(({ name, sha256 }) => [name, sha256.slice(0, 16)]));
}

describe.each(hfGoldens)("$name", (golden) => {
  it.each(Object.keys(golden.outputs))(
    "has upstream's tensors, bit for bit, as %s",
    async (type) => {
      const model = buildGolden(file(`${golden.name}-${type}`), golden);
      const output = file(`${golden.name}-${type}.gguf`);
      await quantize(model, { recipe: type as RecipeName, output });
      const wanted = Object.entries(golden.outputs[type]?.tensors ?? {});
      expect(await hashes(output)).toEqual(
        Object.fromEntries(wanted.map(([name, [, , sha256]]) => [name, sha256])),
      );
    },
  );
});

// Q4_0 alone where rows are too short for super-blocks; stacked, transposed and shifted weights each once.
it.each(["llama3", "mixtral", "gemma2", "gpt2"])(
  "%s quantized in one pass is the same as by way of F32",
  async (name) => {
    const golden = hfGoldens.find((one) => one.name === name);
    if (golden === undefined) throw new RangeError(name);
    const model = buildGolden(file(`${name}-once`), golden);
    const [once, plain, twice] = ["once", "plain", "twice"].map((step) =>
      file(`${name}-${step}.gguf`),
    ) as [string, string, string];
    await quantize(model, { recipe: "Q4_K_M", output: once });
    await quantize(model, { recipe: "F32", output: plain });
    await quantize(plain, { recipe: "Q4_K_M", output: twice });
    expect(await hashes(once)).toEqual(await hashes(twice));
  },
);
