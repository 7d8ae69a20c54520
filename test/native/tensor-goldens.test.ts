import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { findFormat, type Format } from "../../src/formats.js";
import { readImportanceMatrix } from "../../src/imatrix/file.js";
import { loadAddon } from "../../src/native/load.js";
import { quantize } from "../../src/quantize/quantize.js";
import { readGguf } from "../../src/sources/gguf.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** What llama-quantize made, whatever the recipe was: tensors of one model and type are one test. */
interface Golden {
  readonly tensors?: Record<string, { type: string; sha256: string }>;
}

interface Vector {
  readonly tensor: string;
  readonly sha256: string;
}

const addon = loadAddon();
const sources = new Map([
  ["nibble-8m", "nibble-8m/hf"],
  ["TinyStories-656K", "TinyStories-656K/TinyStories-656K-F32.gguf"],
  ["stories260K", "stories260K/stories260K.gguf"],
]);

/** goldens.test.ts makes those as whole files: MODEL.RECIPE[.pure][.imatrix].json. */
function isWholeRecipe(file: string): boolean {
  return /^[^.]+\.[^.]+(\.pure)?(\.imatrix)?\.json$/.test(file);
}

/** By "model type" or "model type with importance": the distinct tensors of all goldens. */
function vectors(): Map<string, Vector[]> {
  const groups = new Map<string, Map<string, Vector>>();
  for (const file of readdirSync(sharedData("golden"))) {
    const model = file.split(".", 1)[0] as string;
    if (!sources.has(model) || !file.endsWith(".json") || isWholeRecipe(file)) continue;
    const golden = JSON.parse(readFileSync(sharedData(`golden/${file}`), "utf8")) as Golden;
    for (const [tensor, { type, sha256 }] of Object.entries(golden.tensors ?? {})) {
      const known = findFormat(type) as Format;
      if (!known.codec || known.values === 1) continue;
      const name = `${model} ${type}${file.includes(".imatrix") ? " with importance" : ""}`;
      const group = groups.get(name) ?? new Map<string, Vector>();
      groups.set(name, group.set(`${tensor} ${sha256}`, { tensor, sha256 }));
    }
  }
  return new Map([...groups].map(([name, group]) => [name, [...group.values()]]));
}

interface Rows {
  readonly values: Float32Array<ArrayBuffer>;
  readonly perRow: number;
}

async function readF32(path: string): Promise<Map<string, Rows>> {
  const { tensors } = await readGguf(path);
  const bytes = readFileSync(path);
  return new Map(
    tensors.map(({ name, shape, pieces }) => {
      const data = Buffer.concat(
        pieces.map((piece) => bytes.subarray(piece.offset, piece.offset + piece.bytes)),
      );
      const values = new Float32Array(new Uint8Array(data).buffer);
      return [name, { values, perRow: shape[0] as number }];
    }),
  );
}

/** Mean squares by tensor. */
async function readImportance(): Promise<Map<string, Float32Array>> {
  const { entries } = await readImportanceMatrix(sharedData("golden/imatrix/nibble-8m.gguf"));
  return new Map(
    entries.map(({ name, sumsOfSquares, counts }) => [
      name,
      sumsOfSquares.map((sum) => sum / (counts[0] as number)),
    ]),
  );
}

describeShared("every tensor of every golden", () => {
  const file = temporaryFolder();
  const models = new Map<string, Promise<Map<string, Rows>>>();

  function modelF32(name: string): Promise<Map<string, Rows>> {
    const made =
      models.get(name) ??
      (async () => {
        const output = file(`${name}.gguf`);
        await quantize(sharedData(sources.get(name) as string), { recipe: "F32", output });
        return readF32(output);
      })();
    models.set(name, made);
    return made;
  }

  for (const [name, group] of vectors()) {
    it(name, async () => {
      const [model, type, ...rest] = name.split(" ") as [string, string, ...string[]];
      const tensors = await modelF32(model);
      const importance = rest.length > 0 ? await readImportance() : new Map<string, Float32Array>();
      const { id } = findFormat(type) as Format;
      const different = group.filter(({ tensor, sha256 }) => {
        const { values } = tensors.get(tensor) as Rows;
        const weights = importance.get(tensor);
        const blocks =
          weights === undefined
            ? addon.quantizeRows(id, values)
            : addon.quantizeWeightedRows(id, values, weights);
        return createHash("sha256").update(blocks).digest("hex") !== sha256;
      });
      expect(different.map(({ tensor }) => tensor)).toEqual([]);
    });
  }
});
