import { beforeAll, describe, expect, it } from "vitest";
import type { Progress } from "../../src/progress.js";
import { quantize } from "../../src/quantize/quantize.js";
import { bench, type BenchOptions, type BenchReport, type BenchTest } from "../../src/run/bench.js";
import type { BenchRow } from "../../src/run/bench-format.js";
import { embeddedModel } from "../helpers/embedded-model.js";
import { runCli } from "../helpers/run-cli.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const [q8, q4] = [file("nibble-8m-Q8_0.gguf"), file("nibble-8m-Q4_0.gguf")];
beforeAll(async () => {
  await quantize(embeddedModel, { recipe: "Q8_0", output: q8 });
  await quantize(embeddedModel, { recipe: "Q4_0", output: q4 });
});

const tests: readonly BenchTest[] = [
  { kind: "pp", tokens: 16 },
  { kind: "tg", tokens: 4 },
];
// The threads of llama.cpp wait for each other busily, and share the cores with other tests.
const short: BenchOptions = { tests, repetitions: 2, threads: 1 };
const both = { ...short, engines: ["native", "llama.cpp"] } as const;

describe("bench", () => {
  it("times what it is asked for, and counts the bytes that a token reads", async () => {
    const report = await bench(q8, short);
    expect(report).toMatchObject({ path: q8, threads: 1, parameters: 8_392_960 });
    expect(report.model).toBe("llama 8M Q8_0");
    expect(report.isa).toMatch(/^[a-z0-9_+-]+$/i);
    expect(report.limits.readBytes).toBeGreaterThan(1e8);
    expect(report.limits.int8Operations).toBeGreaterThan(report.limits.f32Operations / 8);
    expect(Object.keys(report.loadSeconds)).toEqual(["native"]);
    expect(report.results.map(({ name, engine }) => `${name} ${engine}`)).toEqual([
      "pp16 native",
      "tg4 native",
    ]);
    for (const { seconds, tokens, tokensPerSecond, deviation, logitsHash } of report.results) {
      expect(seconds).toHaveLength(2);
      const [a = 0, b = 0] = seconds.map((each) => tokens / each);
      expect(tokensPerSecond).toBeCloseTo((a + b) / 2, 6);
      expect(deviation).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 6);
      expect(logitsHash).toMatch(/^[0-9a-f]{16}$/);
    }
    const [pp, tg] = report.results;
    expect(pp?.firstTokenSeconds).toBeGreaterThan(Math.min(...(pp?.seconds ?? [])));
    expect(tg?.firstTokenSeconds).toBeUndefined();
    // A token reads all weights but the embedding, of which it reads one row.
    const embedding = (256 / 32) * 34 * 4096;
    const each = (tg?.bytesPerSecond ?? 0) / (tg?.tokensPerSecond ?? 1);
    expect(each).toBeCloseTo(report.weightBytes - embedding, -1);
  });

  it("measures the machine once for a number of threads", async () => {
    const once: BenchOptions = { tests: [{ kind: "tg", tokens: 1 }], repetitions: 1, threads: 1 };
    const [first, second] = [await bench(q4, once), await bench(q4, once)];
    expect(second.limits).toEqual(first.limits);
  });

  it("runs both engines, test by test and engine by engine", async () => {
    const seen: string[] = [];
    const onProgress = ({ label, done, total }: Progress) => {
      expect(total).toBe(2 * 2 * 3);
      if (label !== undefined) seen[done] = label;
    };
    const { results, loadSeconds } = await bench(q4, { ...both, onProgress });
    expect(results.map(({ name, engine }) => `${name} ${engine}`)).toEqual([
      ...["pp16 native", "pp16 llama.cpp", "tg4 native", "tg4 llama.cpp"],
    ]);
    for (const { seconds, tokensPerSecond } of results) {
      expect(seconds).toHaveLength(2);
      expect(tokensPerSecond).toBeGreaterThan(0);
    }
    expect(Object.keys(loadSeconds)).toEqual(["native", "llama.cpp"]);
    // In turn, so that what disturbs the machine disturbs both.
    expect(seen.slice(0, 4)).toEqual([
      ...["pp16 native", "pp16 llama.cpp", "pp16 native", "pp16 llama.cpp"],
    ]);
  });

  it("shows by a hash of the logits that the same work was done", async () => {
    const hashes = async (path: string, options: BenchOptions = short) =>
      (await bench(path, { ...options, repetitions: 1 })).results.map((each) => each.logitsHash);
    const first = await hashes(q8);
    expect(new Set(first).size).toBe(2);
    expect(await hashes(q8)).toEqual(first);
    expect(await hashes(q8, { ...short, threads: 2 })).toEqual(first);
    const other = await hashes(q4);
    expect(other.some((hash) => first.includes(hash))).toBe(false);
    const deeper = { ...short, tests: tests.map((test) => ({ ...test, depth: 8 })) };
    expect((await hashes(q8, deeper)).some((hash) => first.includes(hash))).toBe(false);
    expect((await hashes(q8, both)).map((hash) => typeof hash)).toEqual([
      ...["string", "undefined", "string", "undefined"],
    ]);
  });

  it("begins at a depth, which does not count", async () => {
    const deep = { ...both, tests: tests.map((test) => ({ ...test, depth: 32 })) };
    const { results } = await bench(q8, deep);
    expect(results.map(({ name }) => name)).toEqual([
      ...["pp16 @ d32", "pp16 @ d32", "tg4 @ d32", "tg4 @ d32"],
    ]);
    for (const { tokens, seconds, tokensPerSecond, depth } of results) {
      expect(depth).toBe(32);
      const rates = seconds.map((each) => tokens / each);
      expect(tokensPerSecond).toBeCloseTo(((rates[0] ?? 0) + (rates[1] ?? 0)) / 2, 6);
    }
  });

  it("stops with the signal's reason", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const onProgress = ({ done }: Progress) => {
      if (done > 0) stop.abort(reason);
    };
    const options = { ...short, repetitions: 1000, signal: stop.signal, onProgress };
    await expect(bench(q4, options)).rejects.toBe(reason);
  });

  it.each<readonly [string, BenchOptions]>([
    ["repetitions", { repetitions: 0 }],
    ["repetitions", { repetitions: 1.5 }],
    ["tests", { tests: [] }],
    ["tests", { tests: [{ kind: "pp", tokens: 0 }] }],
    ["tests", { tests: [{ kind: "tg", tokens: 1, depth: -1 }] }],
    ["engines", { engines: [] }],
    ["engine", { engines: ["cuda" as "native"] }],
    ["threads", { threads: 0 }],
  ])("refuses wrong %s: %o", async (option, options) => {
    const details = { option };
    await expect(bench(q8, options)).rejects.toMatchObject({ code: "ERR_ARGUMENT", details });
  });
});

describe("nibble bench", () => {
  const args = ["bench", q8, "-p", "16", "-n", "4", "-r", "1", "-t", "1", "--quiet"];

  it("prints a table of 100 columns with both engines, and notes below", async () => {
    const all = [...args, q4, "-d", "8", "--engine", "native,llama.cpp"];
    const { stdout, stderr, status } = await runCli(...all);
    expect([stderr, status]).toEqual(["", 0]);
    const table = stdout.split("\n").filter((line) => line.startsWith("|"));
    expect(table).toHaveLength(2 + 2 * 2 * 2);
    for (const line of table) expect(line.length).toBeLessThanOrEqual(100);
    expect(table[0]).toMatch(/model .* size .* engine .* test .* t\/s .* read\/s .* limit/);
    expect(table[2]).toMatch(/ native +\| +pp16 @ d8 \| +\d+\.\d\d ± 0\.00 \| .*\/s \| +\d+ % \|$/);
    expect(table[5]).toMatch(/ llama\.cpp \| +tg4 @ d8 \| .*\/s \| +\d+ % \|$/);
    expect(stdout).toMatch(
      /Q4_0\.gguf: 1 threads?, \S+; limits: .*\/s from memory, \d+ Gop\/s of int8, \d+ Gop\/s of F32/,
    );
    expect(stdout).toMatch(/native: loaded in .*, first token behind pp16 @ d8 after \d\.\d{3} s/);
  });

  it("measures the machine, without a model", async () => {
    const { stdout, status } = await runCli("bench", "--machine", "--threads", "1", "--json");
    expect(status).toBe(0);
    const { limits } = JSON.parse(stdout) as { limits: Record<string, number>[] };
    expect(limits.map(({ threads }) => threads)).toEqual([1]);
    for (const value of Object.values(limits[0] ?? {})) expect(value).toBeGreaterThan(0);
  });

  it.each(["md", "json", "jsonl", "csv", "sql"])("prints %s", async (form) => {
    const { stdout, status } = await runCli(...args, "-o", form);
    expect(status).toBe(0);
    expect(stdout).toMatch(/pp16/);
    expect(stdout).toMatch(/tg4/);
    if (form !== "json") return;
    const rows = JSON.parse(stdout) as readonly BenchRow[];
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ engine: "native", n_prompt: 16, n_gen: 0, n_depth: 0 });
    expect(rows[1]).toMatchObject({ n_prompt: 0, n_gen: 4, first_token_seconds: "" });
  });

  it("prints whole reports with --json, one a model", async () => {
    const { stdout, stderr } = await runCli(...args, q4, "-p", "0", "--json");
    expect(stderr).toMatch(/given 2 times/);
    expect(stdout).toBe("");
    const json = await runCli(
      "bench",
      q8,
      q4,
      "-p",
      "0",
      "-n",
      "2",
      "-r",
      "1",
      "-t",
      "1",
      "--json",
    );
    const reports = JSON.parse(json.stdout) as readonly BenchReport[];
    expect(reports.map(({ path }) => path)).toEqual([q8, q4]);
    expect(reports.map(({ results }) => results.map(({ name }) => name))).toEqual([
      ["tg2"],
      ["tg2"],
    ]);
  });

  it.each([
    [["--engine", "cuda"], /--engine: expected native or llama\.cpp, got "cuda"/],
    [["--engine", "native,"], /--engine: expected native or llama\.cpp, got ""/],
    [["-o", "xml"], /--output: expected md, json/],
    [["-d", "-1"], /--n-depth: expected an integer from 0/],
    [["--cache-type", "q4_0"], /--cache-type: expected F16 or Q8_0/],
  ] as const)("refuses %o", async (wrong, says) => {
    const { stdout, stderr, status } = await runCli("bench", q8, ...wrong);
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(says);
  });
});
