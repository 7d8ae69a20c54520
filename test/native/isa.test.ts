import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { devices, type Device } from "../../src/run/devices.js";
import { buildGguf } from "../helpers/gguf-builder.js";
import { buildImatrixGguf, f32Tensor } from "../helpers/imatrix-builder.js";
import { makeableRecipes, makeableWithoutImportance } from "../helpers/makeable-recipes.js";
import { randomSource, randomWeights } from "../helpers/random.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const [device] = await devices();
const { isas } = device as Device;

const rows = 99;
const columns = 512;
const name = "blk.0.ffn_up.weight";

/** Makes every file of `jobs` (options of quantize) and prints the sha256 of each. */
const quantizeAll = `
  const { createHash } = require("node:crypto");
  const { readFileSync } = require("node:fs");
  const [index, source, output, jobs] = process.argv.slice(1);
  import(index).then(async ({ quantize }) => {
    for (const job of JSON.parse(jobs)) {
      await quantize(source, { ...job, output, overwrite: true, verify: false });
      console.log(createHash("sha256").update(readFileSync(output)).digest("hex"));
    }
  });
`;

interface Job {
  readonly recipe: string;
  readonly threads: number;
  readonly imatrix?: string;
}

/** In a process of its own: the instruction set is chosen when the addon is loaded. */
function hashes(isa: string, jobs: readonly Job[]): readonly string[] {
  const index = new URL("../../dist/index.js", import.meta.url).href;
  const args = [index, file("model.gguf"), file(`${isa}.gguf`), JSON.stringify(jobs)];
  const env = { ...process.env, NIBBLE_FORCE_ISA: isa };
  const output = execFileSync(process.execPath, ["-e", quantizeAll, ...args], {
    env,
    encoding: "utf8",
  });
  return output.trim().split("\n");
}

function expectSameFiles(jobs: readonly Job[]): void {
  expect(isas).toContain("generic");
  const [first = [], ...others] = isas.map((isa) => hashes(isa, jobs));
  expect(first).toHaveLength(jobs.length);
  for (const other of others) {
    for (const [i, job] of jobs.entries()) expect(other[i], job.recipe).toBe(first[i]);
  }
  const byRecipe = new Map(jobs.map(({ recipe }, i) => [recipe, first[i]]));
  for (const [i, job] of jobs.entries()) {
    expect(first[i], `${job.recipe} on ${job.threads} threads`).toBe(byRecipe.get(job.recipe));
  }
}

function run(isa: string, ...args: string[]): string {
  const env = { ...process.env, NIBBLE_FORCE_ISA: isa };
  return execFileSync(process.execPath, [cli, ...args], { env, encoding: "utf8" });
}

beforeAll(() => {
  const values = randomWeights(columns * rows, 5);
  const data = new Uint8Array(values.buffer);
  const tensors = [{ name, type: "F32", shape: [columns, rows], data }];
  writeFileSync(file("model.gguf"), buildGguf({ tensors }));
  const random = randomSource(6);
  const squares = Array.from({ length: columns }, () => random() ** 4);
  writeFileSync(
    file("imatrix.gguf"),
    buildImatrixGguf([
      f32Tensor(`${name}.in_sum2`, [columns, 1], squares),
      f32Tensor(`${name}.counts`, [1, 1], [1]),
    ]),
  );
});

describe("NIBBLE_FORCE_ISA", () => {
  it.each(isas)("%s is the one that runs", (isa) => {
    const [found] = JSON.parse(run(isa, "devices", "--json")) as Device[];
    expect(found?.isa).toBe(isa);
  });

  const jobs = (recipes: typeof makeableRecipes, imatrix?: string): readonly Job[] =>
    recipes.flatMap(({ name: recipe }) =>
      [1, 2, 3].map((threads) => ({ recipe, threads, ...(imatrix !== undefined && { imatrix }) })),
    );

  it("gives the same file whatever it names, on 1, 2 and 3 threads", { timeout: 120_000 }, () => {
    expectSameFiles(jobs(makeableWithoutImportance));
  });

  it("so with an importance matrix", { timeout: 120_000 }, () => {
    expectSameFiles(jobs(makeableRecipes, file("imatrix.gguf")));
  });

  it("is an error where there is no such instruction set", () => {
    const env = { ...process.env, NIBBLE_FORCE_ISA: "sse9" };
    const options = { env, encoding: "utf8" } as const;
    const { status, stderr } = spawnSync(process.execPath, [cli, "devices"], options);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^nibble: .*NIBBLE_FORCE_ISA.*generic.*sse9.*\n$/);
  });
});
