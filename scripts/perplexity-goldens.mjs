// Perplexities of the shared data's model in every type, on both engines: first those that llama-perplexity measured, then
// over fewer chunks all other recipes: `node scripts/perplexity-goldens.mjs [--chunks 40] [--other-chunks 4]
// [--types Q4_0,IQ4_XS]`. Prints Markdown. The files are made with Nibble; golden/perplexity.json has what upstream's own
// tools gave.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { perplexity, quantize, recipes } from "../dist/index.js";

const { values } = parseArgs({
  options: {
    chunks: { type: "string", default: "40" },
    "other-chunks": { type: "string", default: "4" },
    types: { type: "string" },
  },
});
const shared = fileURLToPath(new URL("../../shared/data/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "nibble-perplexity-"));
const text = readFileSync(join(shared, "nibble-8m/valid.txt"), "utf8");
const wanted = values.types?.split(",");
const goldens = JSON.parse(readFileSync(join(shared, "golden/perplexity.json"), "utf8")).filter(
  ({ model }) => model === "nibble-8m",
);
const measured = new Set(goldens.map(({ recipe }) => recipe));
const others = recipes
  .filter(({ name }) => !measured.has(name) && name !== "COPY")
  .map(({ name }) => ({ recipe: name, imatrix: true }));

/** In percent. */
function off(value, from) {
  return (100 * (value / from - 1)).toFixed(3);
}

try {
  console.log("| type | chunks | llama-perplexity | native | off, % | llama.cpp engine | off, % |");
  console.log("|---|---:|---:|---:|---:|---:|---:|");
  for (const { recipe, imatrix, perplexity: golden } of [...goldens, ...others]) {
    if (wanted?.includes(recipe) === false) continue;
    const output = join(folder, "model.gguf");
    await quantize(join(shared, "nibble-8m/hf"), {
      ...{ recipe, output, overwrite: true },
      ...(imatrix && { imatrix: join(shared, "golden/imatrix/nibble-8m.gguf") }),
    });
    const chunks = Number(golden === undefined ? values["other-chunks"] : values.chunks);
    const run = async (engine) => (await perplexity(output, { text, chunks, engine })).perplexity;
    const [native, llama] = [await run("native"), await run("llama.cpp")];
    const name = `${recipe}${imatrix ? " with importance" : ""}`;
    const ours = [native.toFixed(4), off(native, golden ?? llama)];
    const theirs = [llama.toFixed(4), golden === undefined ? "" : off(llama, golden)];
    const cells = [name, chunks, golden?.toFixed(4) ?? "", ...ours, ...theirs];
    console.log(`| ${cells.join(" | ")} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
