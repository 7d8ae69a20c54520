import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Progress } from "../../src/progress.js";
import { quantize } from "../../src/quantize/quantize.js";
import type { DivergenceReport } from "../../src/run/divergence.js";
import {
  perplexity,
  type PerplexityOptions,
  type PerplexityReport,
} from "../../src/run/perplexity.js";
import { embeddedModel, story, storyPath } from "../helpers/embedded-model.js";
import { runCli } from "../helpers/run-cli.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const [f32, q4] = [file("F32.gguf"), file("Q4_0.gguf")];
/** Of the F32 model: all tokens of the vocabulary, and 64. */
const [whole, top] = [file("whole.ref"), file("top.ref")];
const vocabulary = 4096;
const windows = { text: story, contextLength: 64, chunks: 3 };

beforeAll(async () => {
  await quantize(embeddedModel, { recipe: "F32", output: f32 });
  await quantize(embeddedModel, { recipe: "Q4_0", output: q4 });
  await perplexity(f32, { ...windows, saveReference: whole, referenceTokens: vocabulary });
  await perplexity(f32, { ...windows, saveReference: top, referenceTokens: 64 });
});

function divergenceOf({ divergence }: PerplexityReport): DivergenceReport {
  if (divergence === undefined) throw new TypeError("no divergence");
  return divergence;
}

const compare = async (options: Partial<PerplexityOptions>) =>
  divergenceOf(await perplexity(q4, { ...windows, ...options }));

describe("perplexity", () => {
  it.each<readonly [string, string, number]>([
    ["F32", f32, 0.0001],
    ["Q4_0", q4, 0.002],
  ])("of %s is the same on both engines", async (_type, model, most) => {
    const options = { text: story, chunks: 4 };
    const ours = await perplexity(model, options);
    const theirs = await perplexity(model, { ...options, engine: "llama.cpp", threads: 1 });
    expect([ours.engine, theirs.engine]).toEqual(["native", "llama.cpp"]);
    expect(Math.abs(ours.perplexity / theirs.perplexity - 1)).toBeLessThan(most);
    expect(Math.abs(ours.standardError / theirs.standardError - 1)).toBeLessThan(5 * most);
  });

  it("does not depend on the threads, and hardly on a cache in Q8_0", async () => {
    const [one, two] = [1, 2].map((threads) => perplexity(q4, { ...windows, threads }));
    expect((await one)?.perplexity).toBe((await two)?.perplexity);
    const cached = await perplexity(q4, { ...windows, cache: "Q8_0" });
    const plain = (await one)?.perplexity ?? NaN;
    expect(cached.perplexity).not.toBe(plain);
    expect(Math.abs(cached.perplexity / plain - 1)).toBeLessThan(0.01);
  });

  it("counts the second half of windows of any length", async () => {
    for (const contextLength of [4, 5, 17, 511, 512]) {
      const { scoredTokens } = await perplexity(q4, { text: story, contextLength, chunks: 2 });
      expect(scoredTokens).toBe(2 * (contextLength - 1 - Math.floor(contextLength / 2)));
    }
  });

  it("takes as many windows as the text fills", async () => {
    const { chunks, scoredTokens } = await perplexity(q4, { text: story.slice(0, 2000) });
    expect(chunks).toBe(1);
    expect(scoredTokens).toBe(255);
  });
});

describe("divergence from a reference", () => {
  it("is none from the model itself", async () => {
    const report = await perplexity(f32, { ...windows, reference: f32 });
    const divergence = divergenceOf(report);
    expect(divergence.positions).toBe(report.scoredTokens);
    expect(divergence.kld).toMatchObject({ mean: { value: 0 }, maximum: 0 });
    expect(divergence.sameTop.value).toBe(1);
    expect(divergence.probabilityChange.rms.value).toBe(0);
    expect(divergence.perplexityRatio).toEqual({ value: 1, standardError: 0 });
  });

  it("does not change the perplexity, though the engine sums up probabilities itself without it", async () => {
    // Logits are asked for without the window's last token. Windows of 65, for then both ways multiply more than 32 rows
    // in every layer: products of fewer floats are summed in another order.
    const options = { ...windows, contextLength: 65 };
    const [report, plain] = [
      await perplexity(f32, { ...options, reference: f32 }),
      await perplexity(f32, options),
    ];
    expect(report.perplexity).toBeCloseTo(plain.perplexity, 9);
    expect(report.standardError).toBeCloseTo(plain.standardError, 9);
  });

  it("is shown as it goes, and its figures agree with each other", async () => {
    const labels: string[] = [];
    const onProgress = ({ label }: Progress) => void labels.push(label ?? "");
    const { kld, perplexity: ours, ...rest } = await compare({ reference: f32, onProgress });
    expect(labels.at(-1)).toMatch(/^PPL \d+\.\d{4} KLD 0\.\d{5}$/);
    expect(labels.at(-1)).toContain(kld.mean.value.toFixed(5));
    expect(rest.perplexityRatio.value).toBeCloseTo(ours.value / rest.referencePerplexity.value, 9);
    const { median, percentile90, percentile95, percentile99, percentile999, maximum } = kld;
    const climbing = [0, median, percentile90, percentile95, percentile99, percentile999, maximum];
    expect(climbing).toEqual([...climbing].sort((a, b) => a - b));
    expect(kld.mean.value).toBeGreaterThan(median);
    expect(kld.mean.value).toBeLessThan(0.05);
  });

  it("is the same from a file of the whole vocabulary", async () => {
    const [live, kept] = [
      await compare({ reference: f32 }),
      await compare({ loadReference: whole }),
    ];
    expect(Math.abs(kept.kld.mean.value / live.kld.mean.value - 1)).toBeLessThan(1e-4);
    expect(Math.abs(kept.kld.median / live.kld.median - 1)).toBeLessThan(1e-3);
    expect(kept.sameTop).toEqual(live.sameTop);
    expect(kept.probabilityChange.rms.value).toBeCloseTo(live.probabilityChange.rms.value, 7);
    expect(kept.referencePerplexity.value).toBeCloseTo(live.referencePerplexity.value, 3);
    expect(kept.perplexity.value).toBeCloseTo(live.perplexity.value, 8);
  });

  it("is a little less from a file of 64 tokens, which is much shorter", async () => {
    const [live, kept] = [await compare({ reference: f32 }), await compare({ loadReference: top })];
    expect(kept.kld.mean.value).toBeLessThan(live.kld.mean.value);
    expect(kept.kld.mean.value).toBeGreaterThan(0.5 * live.kld.mean.value);
    expect(kept.kld.maximum).toBeLessThanOrEqual(live.kld.maximum * (1 + 1e-6));
    expect(kept.sameTop).toEqual(live.sameTop);
    expect(kept.probabilityChange.rms.value).toBeCloseTo(live.probabilityChange.rms.value, 7);
    expect(statSync(top).size).toBeLessThan(statSync(whole).size / 50);
  });

  it("leaves no file behind when it is stopped", async () => {
    const stop = new AbortController();
    const onProgress = ({ done }: Progress) => {
      if (done > 0) stop.abort(new Error("enough"));
    };
    const options = { ...windows, saveReference: file("stopped.ref"), signal: stop.signal };
    await expect(perplexity(q4, { ...options, onProgress })).rejects.toThrow("enough");
    expect(readdirSync(file(".")).filter((name) => name.includes("stopped"))).toEqual([]);
  });

  it("replaces a file only where it is told to", async () => {
    const path = file("there.ref");
    writeFileSync(path, "precious");
    const save = { ...windows, chunks: 1, saveReference: path, referenceTokens: 8 };
    await expect(perplexity(q4, save)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect(readFileSync(path, "utf8")).toBe("precious");
    await perplexity(q4, { ...save, overwrite: true });
    const itself = await compare({ chunks: 1, loadReference: path });
    expect(itself.kld.mean.value).toBeLessThan(1e-6);
  });
});

type Refused = readonly [what: string, option: string, says: RegExp, Partial<PerplexityOptions>];

describe("perplexity refuses, before any work,", () => {
  const load = { loadReference: top };
  const wrong: readonly Refused[] = [
    ["a text that fills no window", "text", /at least 64 tokens/, { text: "Short." }],
    ["an empty text", "text", /at least 64 tokens/, { text: "" }],
    ["a context longer than the model's", "contextLength", /512/, { contextLength: 513 }],
    ["a context of 3", "contextLength", /at least 4/, { contextLength: 3 }],
    ["no windows", "chunks", /at least 1/, { chunks: 0 }],
    ["half a window", "chunks", /integer/, { chunks: 1.5 }],
    ["no threads", "threads", /at least 1/, { threads: 0 }],
    ["an engine that is none", "engine", /native or llama\.cpp/, { engine: "cuda" as "native" }],
    ["two references", "reference", /one of/, { reference: f32, loadReference: whole }],
    ["to save while it compares", "reference", /one of/, { reference: f32, saveReference: "x" }],
    ["a reference file of another text", "text", /top\.ref/, { ...load, text: story.slice(9) }],
    ["one of another context", "contextLength", /\(64\)/, { ...load, contextLength: 32 }],
    ["one of more windows", "chunks", /\(3\)/, { ...load, chunks: 2 }],
    ["a reference that exists", "output", /--overwrite/, { saveReference: top }],
    [
      "a reference of no tokens",
      "referenceTokens",
      /1/,
      { saveReference: "x", referenceTokens: 0 },
    ],
  ];

  it.each(wrong)("%s", async (_what, option, says, options) => {
    const seen: Progress[] = [];
    const given = { ...windows, ...options, onProgress: (p: Progress) => seen.push(p) };
    const failed = perplexity(q4, given);
    await expect(failed).rejects.toMatchObject({ code: "ERR_ARGUMENT", details: { option } });
    await expect(failed).rejects.toThrow(says);
    expect(seen.filter(({ phase }) => phase === "perplexity")).toEqual([]);
    expect(existsSync("x")).toBe(false);
  });

  it("references on llama.cpp, which gives no logits", async () => {
    const all = [{ reference: f32 }, { loadReference: top }, { saveReference: file("x.ref") }];
    for (const reference of all) {
      const failed = perplexity(q4, { ...windows, ...reference, engine: "llama.cpp" });
      await expect(failed).rejects.toMatchObject({
        code: "ERR_UNSUPPORTED",
        message: expect.stringMatching(/--engine native/) as string,
      });
    }
    expect(existsSync(file("x.ref"))).toBe(false);
  });

  it("a reference file that is cut, or is something else", async () => {
    writeFileSync(file("cut.ref"), readFileSync(top).subarray(0, -1));
    writeFileSync(file("text.ref"), story);
    for (const name of ["cut.ref", "text.ref"]) {
      await expect(compare({ loadReference: file(name) })).rejects.toMatchObject({
        code: "ERR_FORMAT",
        details: { path: file(name) },
      });
    }
    await expect(compare({ loadReference: file("absent.ref") })).rejects.toMatchObject({
      code: "ERR_IO",
    });
  });
});

describeShared("perplexity refuses a reference of another vocabulary", () => {
  it("as a model, and as a file", async () => {
    const other = sharedData("stories260K/stories260K.gguf");
    await expect(compare({ reference: other })).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      details: { option: "reference" },
      message: expect.stringMatching(/512 tokens instead of 4096/) as string,
    });
    const others = perplexity(other, { ...windows, loadReference: top });
    await expect(others).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("nibble perplexity", () => {
  const args = ["--text", storyPath, "--ctx-size", "64", "--chunks", "3"];

  it("prints the divergence from a model", async () => {
    const { stdout, stderr, status } = await runCli("perplexity", q4, ...args, "-r", f32);
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toMatch(/^PPL = \d+\.\d{4} \+\/- \d+\.\d{5}\n/);
    expect(stdout).toMatch(/\| mean KLD +\| +0\.\d{6} ± 0\.\d{6} \|/);
    expect(stdout).toMatch(/\| same top token +\| +\d\d\.\d{3} ± \d\.\d{3} % \|/);
    expect(stdout).toMatch(/3 windows of 64 tokens, 93 scored; /);
  });

  it("keeps a reference and compares with it, as JSON", async () => {
    const path = file("cli.ref");
    const save = ["--save-reference", path, "--reference-tokens", "4096"];
    const saved = await runCli("perplexity", f32, ...args, ...save, "--json");
    const first = JSON.parse(saved.stdout) as PerplexityReport;
    expect(first).toMatchObject({ engine: "native", chunks: 3, scoredTokens: 93 });
    const again = await runCli("perplexity", f32, ...args, ...save);
    expect(again).toMatchObject({ status: 2, stdout: "" });
    expect(again.stderr).toMatch(/--overwrite/);
    const loaded = await runCli("perplexity", q4, ...args, "--load-reference", path, "--json");
    const { divergence } = JSON.parse(loaded.stdout) as PerplexityReport;
    expect(divergence?.referencePerplexity.value).toBeCloseTo(first.perplexity, 3);
    const live = await runCli("perplexity", q4, ...args, "--reference", f32, "--json");
    const expected = divergenceOf(JSON.parse(live.stdout) as PerplexityReport).kld.mean.value;
    expect((divergence?.kld.mean.value ?? NaN) / expected).toBeCloseTo(1, 4);
  });
});
