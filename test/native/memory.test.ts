import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const script = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const mebibyte = 2 ** 20;

/** Resident memory above Node's own, in MiB, while a model is quantized and verified in a process of its own. */
function memoryAbove(model: string, output: string): number {
  const args = [script("scripts/measure-memory.mjs"), model, output];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  return (JSON.parse(stdout) as { above: number }).above;
}

describe("memory", () => {
  it("stays the same for one tensor of 512 MiB", { timeout: 120_000 }, () => {
    const model = file("embedding.gguf");
    const size = ["--rows", "32768", "--columns", "8192", "--type", "F16"];
    spawnSync(process.execPath, [script("scripts/make-random-model.mjs"), model, ...size]);
    expect(statSync(model).size).toBeGreaterThan(512 * mebibyte);
    expect(memoryAbove(model, file("quantized.gguf"))).toBeLessThan(64);
    rmSync(model);
  });

  it("stays the same for a directory of 550 MiB in shards", { timeout: 120_000 }, () => {
    const model = file("directory");
    const size = ["--layers", "6", "--vocabulary", "4096", "--shard-mib", "100"];
    spawnSync(process.execPath, [script("scripts/make-random-directory.mjs"), model, ...size]);
    expect(
      readdirSync(model).filter((name) => name.endsWith(".safetensors")).length,
    ).toBeGreaterThan(5);
    expect(memoryAbove(model, file("of-directory.gguf"))).toBeLessThan(64);
    rmSync(model, { recursive: true });
  });
});
