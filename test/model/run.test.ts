import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { RecipeName } from "../../src/plan/recipes.js";
import type { Progress } from "../../src/progress.js";
import { quantize } from "../../src/quantize/quantize.js";
import { bench } from "../../src/run/bench.js";
import { generate } from "../../src/run/generate.js";
import { perplexity } from "../../src/run/perplexity.js";
import { fileURLToPath } from "node:url";
import { runCli } from "../helpers/run-cli.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const embedded = fileURLToPath(new URL("../../models/nibble-8m/", import.meta.url));
const story = readFileSync(`${embedded}eval.txt`, "utf8");
const prompt = "Once upon a time";

async function textOf(model: string, options: Parameters<typeof generate>[2]): Promise<string> {
  let text = "";
  for await (const piece of generate(model, prompt, options)) text += piece;
  return text;
}

let model: string;
beforeAll(async () => {
  model = file("nibble-8m-Q8_0.gguf");
  await quantize(embedded, { recipe: "Q8_0", output: model });
});

describe("perplexity", () => {
  it("scores the second half of every window", async () => {
    const seen: Progress[] = [];
    const options = { text: story, contextLength: 128, chunks: 5 };
    const report = await perplexity(model, { ...options, onProgress: (p) => seen.push(p) });
    expect(report).toMatchObject({ chunks: 5, scoredTokens: 5 * 63, contextLength: 128 });
    expect(report.running).toHaveLength(5);
    expect(report.running.at(-1)).toBe(report.perplexity);
    expect(report.perplexity).toBeGreaterThan(15);
    expect(report.perplexity).toBeLessThan(80);
    expect(report.standardError).toBeGreaterThan(0);
    expect(report.standardError).toBeLessThan(report.perplexity / 5);
    expect(seen.at(-1)).toMatchObject({ phase: "perplexity", done: 640, total: 640 });
  });

  it("is that of a uniform guess where the text is noise, and higher than that of the story", async () => {
    const noise = Array.from({ length: 4000 }, (_, i) =>
      String.fromCharCode(33 + ((i * i * 7919) % 90)),
    );
    const of = async (text: string) =>
      (await perplexity(model, { text, contextLength: 64, chunks: 4 })).perplexity;
    expect(await of(noise.join(""))).toBeGreaterThan(5 * (await of(story)));
  });

  it("refuses a text that fills no window, with an engine that is none", async () => {
    await expect(perplexity(model, { text: "Short." })).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      details: { option: "text" },
    });
    const engine = "native" as "llama.cpp";
    await expect(perplexity(model, { text: story, engine })).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      message: expect.stringMatching(/llama\.cpp/) as string,
    });
  });

  it("stops with the signal's reason, soon", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    let aborted = 0;
    const onProgress = ({ done }: Progress) => {
      if (done === 0 || stop.signal.aborted) return;
      aborted = performance.now();
      stop.abort(reason);
    };
    const options = { text: story, contextLength: 256, signal: stop.signal, onProgress };
    await expect(perplexity(model, options)).rejects.toBe(reason);
    expect(performance.now() - aborted).toBeLessThan(1000);
  });
});

describe("generate", () => {
  it("is greedy at temperature 0, whatever the seed", async () => {
    const first = await textOf(model, { temperature: 0, maxTokens: 24, seed: 1 });
    expect(first.length).toBeGreaterThan(40);
    expect(await textOf(model, { temperature: 0, maxTokens: 24, seed: 2 })).toBe(first);
  });

  it("gives the same text for the same seed, another for another", async () => {
    const of = (seed: number) => textOf(model, { temperature: 1, maxTokens: 24, seed });
    const [a, b, c] = [await of(1), await of(1), await of(2)];
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });

  it("can be left at any time", async () => {
    let pieces = 0;
    for await (const piece of generate(model, prompt, { maxTokens: 100, threads: 1 })) {
      expect(piece).not.toBe("");
      pieces += 1;
      if (pieces === 3) break;
    }
    expect(pieces).toBe(3);
  });

  it.each([
    ["maxTokens", { maxTokens: 0 }],
    ["temperature", { temperature: -1 }],
    ["seed", { seed: 0.5 }],
  ])("refuses a wrong %s", async (option, options) => {
    const details = { option };
    await expect(textOf(model, options)).rejects.toMatchObject({ code: "ERR_ARGUMENT", details });
  });

  it("on the command line: the prompt and what follows, or JSON", async () => {
    const args = ["generate", model, "--prompt", prompt, "-n", "8", "--temp", "0", "-t", "1"];
    const { stdout, status } = await runCli(...args);
    expect(status).toBe(0);
    expect(stdout.startsWith(prompt)).toBe(true);
    const { stdout: json } = await runCli(...args, "--json");
    const result = JSON.parse(json) as { prompt: string; text: string };
    expect(result.prompt + result.text).toBe(stdout.slice(0, -1));
  });
});

describe("bench", () => {
  it("times what it is asked for, and counts the bytes that a token reads", async () => {
    const tests = [
      { kind: "pp", tokens: 32 },
      { kind: "tg", tokens: 8 },
    ] as const;
    const report = await bench(model, { tests, repetitions: 2, threads: 1 });
    expect(report).toMatchObject({ engine: "llama.cpp", threads: 1, parameters: 8_392_960 });
    expect(report.results.map(({ name }) => name)).toEqual(["pp32", "tg8"]);
    for (const { seconds, tokens, tokensPerSecond, deviation } of report.results) {
      expect(seconds).toHaveLength(2);
      const [a = 0, b = 0] = seconds.map((each) => tokens / each);
      expect(tokensPerSecond).toBeCloseTo((a + b) / 2, 6);
      expect(deviation).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 6);
    }
    // A token reads all weights but the embedding, of which it reads one row.
    const [, tg] = report.results;
    const embedding = (256 / 32) * 34 * 4096;
    const each = (tg?.bytesPerSecond ?? 0) / (tg?.tokensPerSecond ?? 1);
    expect(each).toBeCloseTo(report.weightBytes - embedding, -1);
  });

  it.each([
    ["repetitions", { repetitions: 0 }],
    ["tests", { tests: [] }],
    ["tests", { tests: [{ kind: "pp", tokens: 0 } as const] }],
  ])("refuses wrong %s", async (option, options) => {
    const details = { option };
    await expect(bench(model, options)).rejects.toMatchObject({ code: "ERR_ARGUMENT", details });
  });

  it.each(["md", "json", "jsonl", "csv", "sql"])("prints %s", async (form) => {
    const args = [
      "bench",
      model,
      "-p",
      "16",
      "-n",
      "4",
      "-r",
      "1",
      "-t",
      "1",
      "-o",
      form,
      "--quiet",
    ];
    const { stdout, status } = await runCli(...args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/pp16/);
    expect(stdout).toMatch(/tg4/);
    if (form === "json") expect(JSON.parse(stdout)).toHaveLength(2);
  });
});

/** What `llama-perplexity` printed for upstream's own files. */
interface Figure {
  readonly model: string;
  readonly recipe: string;
  readonly imatrix: boolean;
  readonly text: string;
  readonly context: number;
  readonly chunks: number;
  readonly perplexity: number;
}

describeShared("against upstream", () => {
  const path = sharedData("golden/perplexity.json");
  // The bytes of all recipes are compared elsewhere; these two show that the engine and the protocol agree.
  const recipes = ["Q8_0", "Q4_0"];
  const sources: Record<string, string> = {
    "nibble-8m": sharedData("nibble-8m/hf"),
    stories260K: sharedData("stories260K/stories260K.gguf"),
  };
  const texts: Record<string, string> = {
    "valid.txt": sharedData("nibble-8m/valid.txt"),
    "tiny.txt": sharedData("text/tiny.txt"),
  };

  it("has the perplexity of llama-perplexity within 0.1 %", { timeout: 180_000 }, async () => {
    const figures = (JSON.parse(readFileSync(path, "utf8")) as Figure[]).filter(
      ({ recipe, imatrix }) => recipes.includes(recipe) && !imatrix,
    );
    expect(figures.length).toBe(4);
    for (const figure of figures) {
      const { recipe, context, chunks } = figure;
      const output = file(`${figure.model}-${recipe}-figure.gguf`);
      await quantize(sources[figure.model]!, { recipe: recipe as RecipeName, output });
      const text = readFileSync(texts[figure.text]!, "utf8");
      const report = await perplexity(output, { text, contextLength: context, chunks });
      const change = Math.abs(report.perplexity / figure.perplexity - 1);
      expect(change, `${figure.model} ${recipe}: ${report.perplexity}`).toBeLessThan(0.001);
    }
  });

  it("writes the greedy text of upstream's own file", async () => {
    const ours = file("TinyStories-Q8_0.gguf");
    const source = sharedData("TinyStories-656K/TinyStories-656K-F32.gguf");
    await quantize(source, { recipe: "Q8_0", output: ours });
    const theirs = sharedData("TinyStories-656K/gguf/TinyStories-656K-Q8_0.gguf");
    const options = { temperature: 0, maxTokens: 100, threads: 1 };
    const text = await textOf(ours, options);
    expect(text.length).toBeGreaterThan(100);
    expect(text).toBe(await textOf(theirs, options));
  });

  it("refuses text that the vocabulary cannot write, where llama.cpp would end the process", async () => {
    const path = sharedData("TinyStories-656K/TinyStories-656K-F32.gguf");
    await expect(perplexity(path, { text: "\u4e16\u754c".repeat(999) })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      details: { what: "character", value: "\u4e16" },
    });
  });
});
