// Perplexities of the shared data's model in every type that llama-perplexity measured, on both engines:
// `node scripts/perplexity-goldens.mjs [--chunks 40] [--types Q4_0,IQ4_XS]`. Prints Markdown. The files are made with
// Nibble; golden/perplexity.json has what upstream's own tools gave.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { perplexity, quantize } from "../dist/index.js";

const { values } = parseArgs({
  options: { chunks: { type: "string", default: "40" }, types: { type: "string" } },
});
const shared = fileURLToPath(new URL("../../shared/data/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "nibble-perplexity-"));
const text = readFileSync(join(shared, "nibble-8m/valid.txt"), "utf8");
const wanted = values.types?.split(",");
const goldens = JSON.parse(readFileSync(join(shared, "golden/perplexity.json"), "utf8")).filter(
  ({ model, recipe }) => model === "nibble-8m" && (wanted?.includes(recipe) ?? true),
);

try {
  console.log("| type | llama-perplexity | native | off, % | llama.cpp engine | off, % |");
  console.log("|---|---:|---:|---:|---:|---:|");
  for (const { recipe, imatrix, perplexity: golden } of goldens) {
    const output = join(folder, "model.gguf");
    await quantize(join(shared, "nibble-8m/hf"), {
      ...{ recipe, output, overwrite: true },
      ...(imatrix && { imatrix: join(shared, "golden/imatrix/nibble-8m.gguf") }),
    });
    const cells = [];
    for (const engine of ["native", "llama.cpp"]) {
      const chunks = Number(values.chunks);
      const { perplexity: measured } = await perplexity(output, { text, chunks, engine });
      cells.push(measured.toFixed(4), (100 * (measured / golden - 1)).toFixed(3));
    }
    const name = `${recipe}${imatrix ? " with importance" : ""}`;
    console.log(`| ${name} | ${golden.toFixed(4)} | ${cells.join(" | ")} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
