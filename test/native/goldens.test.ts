import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { expect, it } from "vitest";
import type { RecipeName } from "../../src/plan/recipes.js";
import { quantize } from "../../src/quantize/quantize.js";
import { verify } from "../../src/quantize/verify.js";
import { readGguf } from "../../src/sources/gguf.js";
import { makeableRecipes } from "../helpers/makeable-recipes.js";
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

const imatrix = "golden/imatrix/nibble-8m.gguf";
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

interface Variant {
  readonly recipe: RecipeName;
  readonly pure: boolean;
  readonly weighted: boolean;
}

/** What there are goldens of, by their names: MODEL.RECIPE[.pure][.imatrix].json. */
function variantsOf(model: string): readonly (Variant & { readonly golden: string })[] {
  const names = new Set(makeableRecipes.map(({ name }) => name));
  return readdirSync(sharedData("golden")).flatMap((golden) => {
    const [name, recipe, ...rest] = golden.replace(/\.json$/, "").split(".");
    const isKnown = names.has(recipe as RecipeName) && rest.every((word) => words.has(word));
    if (name !== model || !golden.endsWith(".json") || !isKnown) return [];
    const [pure, weighted] = [rest.includes("pure"), rest.includes("imatrix")];
    return [{ golden, recipe: recipe as RecipeName, pure, weighted }];
  });
}
const words = new Set(["pure", "imatrix"]);

describeShared("every tensor equals llama-quantize's", () => {
  const file = temporaryFolder();
  for (const { name, source, sameHeader } of models) {
    for (const { golden: goldenName, recipe, pure, weighted } of variantsOf(name)) {
      it(`${source}: ${goldenName}`, async () => {
        const path = sharedData(`golden/${goldenName}`);
        const golden = JSON.parse(readFileSync(path, "utf8")) as Golden;
        const output = file(`${goldenName}-${sameHeader}.gguf`);
        const options = { recipe, output, pure, ...(weighted && { imatrix: sharedData(imatrix) }) };
        const made = quantize(sharedData(source), options);
        if (golden.refused === true) {
          await expect(made).rejects.toMatchObject({ code: "ERR_PLAN" });
          return;
        }
        await made;
        const { tensors, ok } = await verify(output);
        expect(ok).toBe(true);
        const rows = tensors.map(({ name, type, shape, sha256 }) => [
          name,
          { type, shape: [...shape], sha256 },
        ]);
        expect(Object.fromEntries(rows)).toEqual(golden.tensors);
        const { metadata } = await readGguf(output);
        expect(metadata.find(({ key }) => key === "general.file_type")?.value).toBe(
          golden.file_type,
        );
        if (sameHeader) expect(statSync(output).size).toBe(golden.file_bytes);
      });
    }
  }

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
