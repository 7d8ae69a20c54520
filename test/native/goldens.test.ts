import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { expect, it } from "vitest";
import type { RecipeName } from "../../src/plan/recipes.js";
import { quantize } from "../../src/quantize/quantize.js";
import { verify, type VerifiedTensor } from "../../src/quantize/verify.js";
import { readGguf } from "../../src/sources/gguf.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** What upstream's llama-quantize made of the model with a recipe. */
interface Golden {
  readonly refused?: boolean;
  readonly file_type: number;
  readonly file_bytes: number;
  readonly tensors: Tensors;
}

type Tensors = Record<string, { type: string; shape: number[]; sha256: string }>;

const recipes: readonly RecipeName[] = [
  "F32",
  "F16",
  "BF16",
  "Q8_0",
  "Q6_K",
  "Q4_0",
  "Q4_1",
  "Q5_0",
  "Q5_1",
];
// The goldens were made from GGUFs; a directory's header differs from theirs, so its file's length does too.
const models = [
  { name: "nibble-8m", source: "nibble-8m/hf", sameHeader: false },
  { name: "TinyStories-656K", source: "TinyStories-656K", sameHeader: false },
  {
    name: "TinyStories-656K",
    source: "TinyStories-656K/TinyStories-656K-F32.gguf",
    sameHeader: true,
  },
  { name: "stories260K", source: "stories260K/stories260K.gguf", sameHeader: true },
];

// Goldens of types that take no notice of an importance matrix: the same bytes with one.
const byType = ["TQ1_0", "TQ2_0", "Q1_0", "Q2_0"].flatMap((type) =>
  [".pure", "", ".imatrix"].map((kind) => ({ type, file: `nibble-8m.${type}${kind}` })),
);
const byOption = ["MXFP4", "NVFP4"].flatMap((type) =>
  ["", ".imatrix"].map((kind) => ({ type, file: `nibble-8m.Q4_0.${type.toLowerCase()}${kind}` })),
);

function readGolden(file: string): Golden {
  return JSON.parse(readFileSync(sharedData(`golden/${file}.json`), "utf8")) as Golden;
}

function byName(tensors: readonly VerifiedTensor[]): Tensors {
  const entries = tensors.map(({ name, type, shape, sha256 }) => [
    name,
    { type, shape: [...shape], sha256 },
  ]);
  return Object.fromEntries(entries) as Tensors;
}

describeShared("every tensor equals llama-quantize's", () => {
  const file = temporaryFolder();
  const pure = recipes
    .filter((name) => name.startsWith("Q"))
    .map((recipe) => ({ recipe, pure: true }));
  const variants = [...recipes.map((recipe) => ({ recipe, pure: false })), ...pure];
  for (const { name, source, sameHeader } of models) {
    for (const { recipe, pure } of variants) {
      if (pure && name !== "nibble-8m") continue;
      it(`${source} as ${recipe}${pure ? " --pure" : ""}`, async () => {
        const golden = readGolden(`${name}.${recipe}${pure ? ".pure" : ""}`);
        const output = file(`${name}-${recipe}-${pure}-${sameHeader}.gguf`);
        await quantize(sharedData(source), { recipe, output, pure });
        const { tensors, ok } = await verify(output);
        expect(ok).toBe(true);
        expect(byName(tensors)).toEqual(golden.tensors);
        const { metadata } = await readGguf(output);
        expect(metadata.find(({ key }) => key === "general.file_type")?.value).toBe(
          golden.file_type,
        );
        if (sameHeader) expect(statSync(output).size).toBe(golden.file_bytes);
      });
    }
  }

  it.each([...byType, ...byOption])("tensors that are $type in $file", async (one) => {
    const expected = Object.entries(readGolden(one.file).tensors).filter(
      ([, { type }]) => type === one.type,
    );
    const output = file(`${one.file}.gguf`);
    const tensorTypes = [{ pattern: ".", type: one.type }];
    await quantize(sharedData("nibble-8m/hf"), { recipe: "Q4_0", output, tensorTypes });
    const made = byName((await verify(output)).tensors);
    for (const [name, tensor] of expected) expect(made[name]).toEqual(tensor);
    expect(expected.length).toBeGreaterThan(50);
  });

  it("for one thread as for two", async () => {
    const sums = [];
    for (const threads of [1, 2]) {
      const output = file(`threads-${threads}.gguf`);
      await quantize(sharedData("nibble-8m/hf"), { recipe: "Q4_0", output, threads });
      sums.push(createHash("sha256").update(readFileSync(output)).digest("hex"));
    }
    expect(sums[0]).toBe(sums[1]);
  });
});
