import { beforeAll, describe, expect, it } from "vitest";
import { quantize } from "../../src/quantize/quantize.js";
import { generate, type GenerateOptions } from "../../src/run/generate.js";
import { embeddedModel, wholeText } from "../helpers/embedded-model.js";
import { runCli } from "../helpers/run-cli.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const prompt = "It was a bright cold day";
// Its threads wait for each other busily: of two with one core, each token takes a slice of time.
const llamaCpp = { engine: "llama.cpp", threads: 1 } as const;
const model = file("nibble-8m-F16.gguf");
beforeAll(() => quantize(embeddedModel, { recipe: "F16", output: model }));

const textOf = (options: GenerateOptions, path = model): Promise<string> =>
  wholeText(generate(path, prompt, { maxTokens: 40, ...options }));
const greedy = (options: GenerateOptions = {}) => textOf({ temperature: 0, ...options });

describe("the greedy text", () => {
  it("is that of llama.cpp", async () => {
    const ours = await greedy({ maxTokens: 200 });
    expect(ours.length).toBeGreaterThan(400);
    expect(await greedy({ maxTokens: 200, ...llamaCpp })).toBe(ours);
  });

  it("does not depend on the threads, nor on a sampler's other options", async () => {
    const text = await greedy();
    for (const threads of [1, 2, 64]) expect(await greedy({ threads })).toBe(text);
    expect(await greedy({ topP: 0.1, minP: 0.9, topK: 3, seed: 7 })).toBe(text);
    expect(await textOf({ topK: 1, temperature: 2 })).toBe(text);
    expect(await textOf({ topK: 0, topP: 0, temperature: 2 })).toBe(text);
    expect(await textOf({ topK: 0, minP: 1, temperature: 2 })).toBe(text);
  });

  it("is longer with more tokens, and begins alike", async () => {
    const [short, long] = [await greedy({ maxTokens: 10 }), await greedy({ maxTokens: 60 })];
    expect(long.startsWith(short)).toBe(true);
    expect(long.length).toBeGreaterThan(short.length);
    expect((await greedy({ maxTokens: 1 })).length).toBeGreaterThan(0);
  });

  it("comes in pieces of whole characters", async () => {
    const pieces: string[] = [];
    const options = { temperature: 1.5, seed: 5, topP: 1, topK: 0, minP: 0, maxTokens: 150 };
    for await (const piece of generate(model, prompt, options)) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(20);
    expect(pieces).not.toContain("");
    expect(pieces.join("")).toBe(await textOf(options));
    expect(pieces.every((piece) => Buffer.from(piece).toString() === piece)).toBe(true);
  });

  it("changes with a penalty on what came lately", async () => {
    const text = await greedy({ maxTokens: 80 });
    expect(await greedy({ maxTokens: 80, repeatPenalty: 1.5 })).not.toBe(text);
    expect(await greedy({ maxTokens: 80, repeatPenalty: 1.5, repeatLastN: 0 })).toBe(text);
  });

  it("ends where the model's training ended, and does not begin behind that", async () => {
    const options = { temperature: 0, maxTokens: 200 };
    const long = "It was a day. ".repeat(100);
    const pieces: string[] = [];
    for await (const piece of generate(model, long, options)) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(0);
    expect(pieces.length).toBeLessThan(112);
    await expect(wholeText(generate(model, long.repeat(2), options))).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      details: { option: "prompt" },
      message: expect.stringMatching(/fewer than 512 tokens/) as string,
    });
  });
});

describeShared("the greedy text of other models", () => {
  it.each([
    ["TinyStories-656K", "TinyStories-656K/TinyStories-656K-F32.gguf", "F16"],
    ["stories260K", "stories260K/stories260K.gguf", "F32"],
  ] as const)("%s is that of llama.cpp", async (name, source, recipe) => {
    const path = file(`${name}.gguf`);
    await quantize(sharedData(source), { recipe, output: path });
    const options = { temperature: 0, maxTokens: 200 };
    for (const begin of ["Once upon a time", "Lily and Tom"]) {
      const ours = await wholeText(generate(path, begin, options));
      expect(ours.length).toBeGreaterThan(200);
      const theirs = generate(path, begin, { ...options, ...llamaCpp });
      expect(await wholeText(theirs), begin).toBe(ours);
    }
  });

  it("of a model that wants BOS follows from nothing at all", async () => {
    const path = sharedData("stories260K/stories260K.gguf");
    const options = { temperature: 0, maxTokens: 50 };
    const ours = await wholeText(generate(path, "", options));
    expect(ours.length).toBeGreaterThan(50);
    expect(await wholeText(generate(path, "", { ...options, ...llamaCpp }))).toBe(ours);
  });
});

describe("stop strings", () => {
  it("end the text and are not part of it, wherever tokens end", async () => {
    const text = await greedy();
    for (const [from, to] of [
      [10, 13],
      [21, 22],
      [30, 52],
    ] as const) {
      const stop = text.slice(from, to);
      expect(await greedy({ stop: ["never there", stop] })).toBe(text.slice(0, text.indexOf(stop)));
    }
  });

  it("may come with the first token, or never", async () => {
    const text = await greedy();
    expect(await greedy({ stop: [text.slice(0, 1)] })).toBe("");
    expect(await greedy({ stop: [`${text}, which goes on`] })).toBe(text);
  });
});

describe("a seed", () => {
  it("gives one text, other seeds give others", async () => {
    const of = (seed: number, options = {}) => textOf({ temperature: 1, seed, ...options });
    const texts = await Promise.all([0, 1, 2, 3, 2 ** 32 - 1].map((seed) => of(seed)));
    expect(new Set(texts).size).toBe(5);
    expect(await of(2, { threads: 1 })).toBe(texts[2]);
  });

  it("is another each time where none is given", async () => {
    const sampled = { temperature: 1.5, topK: 0, topP: 1, minP: 0 };
    expect(await textOf(sampled)).not.toBe(await textOf(sampled));
  });
});

describe("generate refuses", () => {
  it.each<readonly [string, GenerateOptions]>([
    ["maxTokens", { maxTokens: 0 }],
    ["maxTokens", { maxTokens: 2.5 }],
    ["temperature", { temperature: -1 }],
    ["temperature", { temperature: NaN }],
    ["seed", { seed: 0.5 }],
    ["seed", { seed: 2 ** 32 }],
    ["topK", { topK: -1 }],
    ["topP", { topP: 1.01 }],
    ["minP", { minP: -0.1 }],
    ["repeatPenalty", { repeatPenalty: 0 }],
    ["repeatLastN", { repeatLastN: -1 }],
    ["stop", { stop: ["x", ""] }],
    ["threads", { threads: 0.5 }],
    ["pre", { pre: "nonsense" }],
    ["engine", { engine: "cuda" as "native" }],
  ])("a wrong %s: %o", async (option, options) => {
    const failed = textOf(options);
    await expect(failed).rejects.toMatchObject({ code: "ERR_ARGUMENT", details: { option } });
  });
});

describe("nibble generate", () => {
  const args = ["generate", model, "--prompt", prompt, "-n", "12", "--temp", "0"];

  it("prints the prompt and what follows, or JSON", async () => {
    const { stdout, stderr, status } = await runCli(...args);
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toBe(`${prompt}${await greedy({ maxTokens: 12 })}\n`);
    const json = JSON.parse((await runCli(...args, "--json")).stdout) as object;
    expect(json).toEqual({ prompt, text: stdout.slice(prompt.length, -1) });
    expect((await runCli(...args, "--engine", "llama.cpp", "-t", "1")).stdout).toBe(stdout);
  });

  it("takes a sampler's options by llama.cpp's names", async () => {
    const sampled = ["--temp", "1.2", "--seed", "3", "--top-k", "9", "--top-p", "0.8"];
    const rest = ["--min-p", "0.01", "--repeat-penalty", "1.2", "--repeat-last-n", "5"];
    const line = ["generate", model, "-p", prompt, "-n", "12", ...sampled, ...rest, "--json"];
    const json = JSON.parse((await runCli(...line)).stdout) as { readonly text: string };
    const options = { temperature: 1.2, seed: 3, topK: 9, topP: 0.8, minP: 0.01 };
    const text = await textOf({ ...options, repeatPenalty: 1.2, repeatLastN: 5, maxTokens: 12 });
    expect(json.text).toBe(text);
  });

  it("ends at any of several stop strings", async () => {
    const text = await greedy({ maxTokens: 12 });
    const stop = ["--stop", text.slice(9, 12), "--stop", "never there"];
    const { stdout } = await runCli(...args, ...stop, "--json");
    expect(JSON.parse(stdout)).toEqual({
      prompt,
      text: text.slice(0, text.indexOf(stop[1] ?? "")),
    });
  });
});
