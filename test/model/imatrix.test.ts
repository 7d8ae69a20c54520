import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { readImportanceMatrix, writeImportanceMatrix } from "../../src/imatrix/file.js";
import type { ImportanceEntry, ImportanceMatrix } from "../../src/imatrix/types.js";
import type { Progress } from "../../src/progress.js";
import { quantize } from "../../src/quantize/quantize.js";
import { imatrix } from "../../src/run/imatrix.js";
import { embeddedModel, story, storyPath } from "../helpers/embedded-model.js";
import { runCli } from "../helpers/run-cli.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const model = file("nibble-8m-F32.gguf");
const windows = { text: story, contextLength: 64, chunks: 2 };
beforeAll(() => quantize(embeddedModel, { recipe: "F32", output: model }));

const byName = (matrix: ImportanceMatrix): ReadonlyMap<string, ImportanceEntry> =>
  new Map(matrix.entries.map((entry) => [entry.name, entry]));

describe("imatrix", () => {
  it("has every matrix of every layer, and every token", async () => {
    const seen: Progress[] = [];
    const matrix = await imatrix(model, { ...windows, onProgress: (p) => seen.push(p) });
    expect(matrix).toMatchObject({ chunks: 2, chunkSize: 64, datasets: [] });
    expect(matrix.entries).toHaveLength(8 * 7);
    for (const { counts, columns, experts, sumsOfSquares, sums, name } of matrix.entries) {
      expect(counts).toEqual(Float32Array.of(128));
      expect([columns, experts]).toEqual([name.includes("ffn_down") ? 768 : 256, 1]);
      // Cauchy and Schwarz: the square of a mean is at most the mean of the squares.
      sumsOfSquares.forEach((squares, i) => {
        expect((sums?.[i] ?? NaN) ** 2 / 128).toBeLessThanOrEqual(squares * (1 + 1e-5));
      });
    }
    expect(seen.at(-1)).toMatchObject({ phase: "imatrix", done: 128, total: 128, unit: "tokens" });
  });

  it("sees the same where matrices have the same input", async () => {
    const entries = byName(await imatrix(model, windows));
    const of = (name: string) => entries.get(`blk.3.${name}.weight`)?.sumsOfSquares;
    expect(of("attn_q")).toEqual(of("attn_k"));
    expect(of("attn_q")).toEqual(of("attn_v"));
    expect(of("ffn_up")).toEqual(of("ffn_gate"));
    expect(of("ffn_up")).not.toEqual(of("attn_q"));
  });

  it("is the same on any number of threads", async () => {
    const [one, two] = [1, 2].map((threads) => imatrix(model, { ...windows, threads }));
    expect(await one).toEqual(await two);
  });

  it("grows from window to window", async () => {
    const both = byName(await imatrix(model, windows));
    const first = await imatrix(model, { ...windows, chunks: 1 });
    for (const { name, counts, sumsOfSquares } of first.entries) {
      const more = both.get(name)?.sumsOfSquares;
      expect(counts).toEqual(Float32Array.of(64));
      expect(sumsOfSquares.every((squares, i) => squares < (more?.[i] ?? NaN))).toBe(true);
    }
  });

  it("is read as it was written", async () => {
    const matrix = await imatrix(model, { ...windows, dataset: "stories" });
    await writeImportanceMatrix(file("written.gguf"), matrix);
    const read = await readImportanceMatrix(file("written.gguf"));
    expect({ ...read, entries: byName(read) }).toEqual({ ...matrix, entries: byName(matrix) });
  });

  it("stops with the signal's reason", async () => {
    const reason = new Error("enough");
    const stop = new AbortController();
    const onProgress = ({ done }: Progress) => {
      if (done > 0) stop.abort(reason);
    };
    const options = { text: story, signal: stop.signal, onProgress };
    await expect(imatrix(model, options)).rejects.toBe(reason);
  });

  it.each([
    ["text", { text: "Short." }],
    ["contextLength", { contextLength: 513 }],
    ["chunks", { chunks: 0 }],
    ["threads", { threads: -1 }],
    ["pre", { pre: "nonsense" }],
  ])("refuses a wrong %s", async (option, options) => {
    const details = { option };
    const failed = imatrix(model, { ...windows, ...options });
    await expect(failed).rejects.toMatchObject({ code: "ERR_ARGUMENT", details });
  });
});

describeShared("the importance matrix of upstream", () => {
  it("is the same within half a percent, column by column", { timeout: 240_000 }, async () => {
    const path = file("shared-F32.gguf");
    await quantize(sharedData("nibble-8m/hf"), { recipe: "F32", output: path });
    const text = readFileSync(sharedData("nibble-8m/calib.txt"), "utf8");
    const ours = await imatrix(path, { text });
    const theirs = await readImportanceMatrix(sharedData("golden/imatrix/nibble-8m.gguf"));
    expect(ours).toMatchObject({ chunks: theirs.chunks, chunkSize: theirs.chunkSize });
    expect(theirs.entries).toHaveLength(56);
    expect(byName(ours).size).toBe(56);
    let worst = 0;
    for (const { name, counts, sumsOfSquares } of theirs.entries) {
      const entry = byName(ours).get(name);
      expect(entry?.counts, name).toEqual(counts);
      expect(entry?.columns, name).toBe(sumsOfSquares.length);
      sumsOfSquares.forEach((expected, i) => {
        worst = Math.max(worst, Math.abs((entry?.sumsOfSquares[i] ?? NaN) / expected - 1));
      });
    }
    expect(worst).toBeLessThan(0.005);
  });
});

describe("nibble imatrix", () => {
  const args = ["imatrix", model, "--text", storyPath, "-c", "64", "--chunks", "2", "--quiet"];

  it("collects what the API collects", async () => {
    const output = file("cli.gguf");
    const { stdout, stderr, status } = await runCli(...args, "-o", output);
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toBe(`${output}: 56 tensors, 2 chunks of 64 tokens of eval.txt\n`);
    const api = await imatrix(model, { ...windows, dataset: "eval.txt" });
    expect(byName(await readImportanceMatrix(output))).toEqual(byName(api));
  });

  it("adds to what files hold", async () => {
    const [before, output] = [file("before.gguf"), file("sum.gguf")];
    await writeImportanceMatrix(before, await imatrix(model, { ...windows, dataset: "old" }));
    const { stdout } = await runCli(...args, "--in-file", before, "-o", output);
    expect(stdout).toContain("4 chunks of 64 tokens of old, eval.txt");
    const sum = byName(await readImportanceMatrix(output));
    for (const { name, sumsOfSquares, sums } of (await readImportanceMatrix(before)).entries) {
      const twice = (values?: Float32Array) => values?.map((value) => 2 * value);
      expect(sum.get(name)?.counts).toEqual(Float32Array.of(256));
      expect(sum.get(name)?.sumsOfSquares).toEqual(twice(sumsOfSquares));
      expect(sum.get(name)?.sums).toEqual(twice(sums));
    }
  });

  it("names its output after the model", async () => {
    const before = process.cwd();
    process.chdir(file("."));
    try {
      const { stdout, status } = await runCli(...args);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^nibble-8m-imatrix\.gguf: 56 tensors/);
    } finally {
      process.chdir(before);
    }
    expect(existsSync(file("nibble-8m-imatrix.gguf"))).toBe(true);
  });

  it("is JSON alone with --json", async () => {
    const output = file("json.gguf");
    const { stdout, stderr } = await runCli(...args, "-o", output, "--json", "--show-statistics");
    expect(stderr).toBe("");
    const report = JSON.parse(stdout) as { statistics: readonly { rows: number }[] };
    expect(report).toMatchObject({
      ...{ output, chunks: 2, chunkSize: 64, datasets: ["eval.txt"], tensors: 56, warnings: [] },
    });
    expect(report.statistics.map(({ rows }) => rows)).toEqual(Array<number>(56).fill(128));
  });

  it("refuses an output that exists before it reads anything", async () => {
    const output = file("precious.gguf");
    writeFileSync(output, "precious");
    const absent = ["imatrix", file("absent.gguf"), "--text", file("absent"), "-o", output];
    const { stderr, status } = await runCli(...absent);
    expect(stderr).toMatch(/^nibble: .*--overwrite.*\n$/);
    expect(status).toBe(2);
    expect(readFileSync(output, "utf8")).toBe("precious");
    expect((await runCli(...args, "-o", output, "--overwrite")).status).toBe(0);
    expect((await readImportanceMatrix(output)).entries).toHaveLength(56);
  });

  it("wants a text", async () => {
    const { stdout, stderr, status } = await runCli("imatrix", model, "-o", file("no.gguf"));
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(/^nibble: --text is missing: .*nibble imatrix --help.*\n$/);
    expect(existsSync(file("no.gguf"))).toBe(false);
  });
});
