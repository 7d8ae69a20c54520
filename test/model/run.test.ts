import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { RecipeName } from "../../src/plan/recipes.js";
import type { Progress } from "../../src/progress.js";
import { quantize } from "../../src/quantize/quantize.js";
import { engineNames } from "../../src/run/engine.js";
import { generate } from "../../src/run/generate.js";
import { perplexity } from "../../src/run/perplexity.js";
import { embeddedModel, story, wholeText } from "../helpers/embedded-model.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const prompt = "Once upon a time";
// The threads of llama.cpp wait for each other busily, and share the cores with other tests.
const threads = 1;

let model: string;
beforeAll(async () => {
  model = file("nibble-8m-Q8_0.gguf");
  await quantize(embeddedModel, { recipe: "Q8_0", output: model });
});

describe.each(engineNames)("perplexity on %s", (engine) => {
  it("scores the second half of every window", async () => {
    const seen: Progress[] = [];
    const options = { engine, threads, text: story, contextLength: 128, chunks: 5 };
    const report = await perplexity(model, { ...options, onProgress: (p) => seen.push(p) });
    expect(report).toMatchObject({ engine, chunks: 5, scoredTokens: 5 * 63, contextLength: 128 });
    expect(report.running).toHaveLength(5);
    expect(report.running.at(-1)).toBe(report.perplexity);
    expect(report.perplexity).toBeGreaterThan(15);
    expect(report.perplexity).toBeLessThan(80);
    expect(report.standardError).toBeGreaterThan(0);
    expect(report.standardError).toBeLessThan(report.perplexity / 5);
    expect(report.divergence).toBeUndefined();
    expect(seen.at(-1)).toMatchObject({ phase: "perplexity", done: 640, total: 640 });
  });

  it("is that of a uniform guess where the text is noise, and higher than that of the story", async () => {
    const noise = Array.from({ length: 4000 }, (_, i) =>
      String.fromCharCode(33 + ((i * i * 7919) % 90)),
    );
    const of = async (text: string) =>
      (await perplexity(model, { engine, threads, text, contextLength: 64, chunks: 4 })).perplexity;
    expect(await of(noise.join(""))).toBeGreaterThan(5 * (await of(story)));
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
    const options = { engine, threads, text: story, contextLength: 256, onProgress };
    await expect(perplexity(model, { ...options, signal: stop.signal })).rejects.toBe(reason);
    expect(performance.now() - aborted).toBeLessThan(1000);
  });
});

describe.each(engineNames)("generate on %s", (engine) => {
  const textOf = (options: Parameters<typeof generate>[2]) =>
    wholeText(generate(model, prompt, { engine, threads, ...options }));

  it("is greedy at temperature 0, whatever the seed", async () => {
    const first = await textOf({ temperature: 0, maxTokens: 24, seed: 1 });
    expect(first.length).toBeGreaterThan(40);
    expect(await textOf({ temperature: 0, maxTokens: 24, seed: 2 })).toBe(first);
    expect(await textOf({ temperature: 1, topK: 1, maxTokens: 24 })).toBe(first);
  });

  it("gives the same text for the same seed, another for another", async () => {
    const of = (seed: number) => textOf({ temperature: 1, maxTokens: 24, seed });
    const [a, b, c] = [await of(1), await of(1), await of(2)];
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });

  it("can be left at any time", async () => {
    let pieces = 0;
    for await (const piece of generate(model, prompt, { engine, threads, maxTokens: 100 })) {
      expect(piece).not.toBe("");
      pieces += 1;
      if (pieces === 3) break;
    }
    expect(pieces).toBe(3);
  });

  it("stops with the signal's reason", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const read = async () => {
      for await (const piece of generate(model, prompt, { engine, threads, signal: stop.signal })) {
        if (piece !== "") stop.abort(reason);
      }
    };
    await expect(read()).rejects.toBe(reason);
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

describeShared("llama.cpp against upstream", () => {
  const engine = "llama.cpp";
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
      const report = await perplexity(output, {
        engine,
        threads,
        text,
        contextLength: context,
        chunks,
      });
      const change = Math.abs(report.perplexity / figure.perplexity - 1);
      expect(change, `${figure.model} ${recipe}: ${report.perplexity}`).toBeLessThan(0.001);
    }
  });

  it.each(engineNames)("%s writes the greedy text of upstream's own file", async (name) => {
    const ours = file(`TinyStories-Q8_0-${name}.gguf`);
    const source = sharedData("TinyStories-656K/TinyStories-656K-F32.gguf");
    await quantize(source, { recipe: "Q8_0", output: ours });
    const theirs = sharedData("TinyStories-656K/gguf/TinyStories-656K-Q8_0.gguf");
    const options = { engine: name, temperature: 0, maxTokens: 100, threads };
    const text = await wholeText(generate(ours, prompt, options));
    expect(text.length).toBeGreaterThan(100);
    expect(text).toBe(await wholeText(generate(theirs, prompt, options)));
  });

  it("refuses text that the vocabulary cannot write, where llama.cpp would end the process", async () => {
    const gaps = sharedData("TinyStories-656K/TinyStories-656K-F32.gguf");
    const text = "\u4e16\u754c".repeat(999);
    await expect(perplexity(gaps, { engine, text })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      details: { what: "character", value: "\u4e16" },
    });
    const { perplexity: ours } = await perplexity(gaps, { text, contextLength: 64, chunks: 1 });
    expect(ours).toBeGreaterThan(0);
  });
});
