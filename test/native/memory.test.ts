import { spawnSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const script = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const mebibyte = 2 ** 20;

/** Peak of resident memory, in MiB, before and after a model is quantized and verified in a process of its own. */
function memoryOf(model: string, output: string): { before: number; after: number } {
  const code = `
    const { quantize } = await import(${JSON.stringify(script("dist/index.js"))});
    const before = process.resourceUsage().maxRSS / 1024;
    await quantize(${JSON.stringify(model)}, { recipe: "Q4_0", output: ${JSON.stringify(output)} });
    console.log(JSON.stringify({ before, after: process.resourceUsage().maxRSS / 1024 }));
  `;
  const args = ["--input-type=module", "-e", code];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as { before: number; after: number };
}

describe("memory", () => {
  it("stays the same for one tensor of 512 MiB", { timeout: 120_000 }, () => {
    const model = file("embedding.gguf");
    const size = ["--rows", "32768", "--columns", "8192", "--type", "F16"];
    spawnSync(process.execPath, [script("scripts/make-random-model.mjs"), model, ...size]);
    expect(statSync(model).size).toBeGreaterThan(512 * mebibyte);
    const { before, after } = memoryOf(model, file("quantized.gguf"));
    expect(after - before).toBeLessThan(64);
    rmSync(model);
  });
});
