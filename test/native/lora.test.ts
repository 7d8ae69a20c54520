import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hashModel } from "../../src/quantize/hash-model.js";
import { quantize } from "../../src/quantize/quantize.js";
import type { RecipeName } from "../../src/plan/recipes.js";
import { readGguf } from "../../src/sources/gguf.js";
import { buildLora, loraGolden, loraGoldens } from "../helpers/lora-golden.js";
import { runCli } from "../helpers/run-cli.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

describe.each(loraGoldens)("the adapter $name", (golden) => {
  it.each(Object.keys(golden.outputs))("as %s is upstream's", async (type) => {
    const { adapter, base } = buildLora(file(`${golden.name}-${type}`), golden);
    const output = file(`${golden.name}-${type}.gguf`);
    await quantize(adapter, { base, recipe: type as RecipeName, output });
    const model = await readGguf(output);
    const { tensors: sums } = await hashModel(output);
    const found = model.tensors.map(({ name, type, shape }, i) => [
      name,
      [type, [...shape], sums[i]?.sha256.slice(0, 16)],
    ]);
    const wanted = golden.outputs[type];
    expect(Object.fromEntries(found)).toEqual(wanted?.tensors);
    const metadata = model.metadata.map(({ key, type, value }) => ({ key, type, value }));
    expect(metadata).toEqual(wanted?.metadata);
  });
});

describe("nibble convert of an adapter", () => {
  it("writes the file, and nothing where it cannot", async () => {
    const { adapter, base } = buildLora(file("cli"), loraGolden("llama"));
    const output = file("cli.gguf");
    const refused = await runCli("convert", adapter, output);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain("--base");
    expect(existsSync(output)).toBe(false);
    const written = await runCli("convert", adapter, output, "--base", base, "--quiet");
    expect(written).toMatchObject({ status: 0 });
    expect((await readGguf(output)).tensors[0]?.type).toBe("F16");
  });
});
