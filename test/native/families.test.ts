import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { format, type FormatName } from "../../src/formats.js";
import { nativeEngine } from "../../src/run/engine-native.js";
import { readGguf } from "../../src/sources/gguf.js";
import { engineLogProbabilities, spreadDifference } from "../helpers/engine-run.js";
import { families, familyNames, type Family } from "../helpers/families.js";
import { difference, nativeLogits } from "../helpers/native-run.js";
import { runReference } from "../helpers/reference-model.js";
import { roundToCodes, roundToHalf } from "../helpers/rounding.js";
import {
  someTokens,
  tinyModel,
  writeTinyModel,
  type TinyModel,
  type TinyOptions,
} from "../helpers/tiny-model.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
/** Float arithmetic and values that fall to the other side in F16: 5e-5 at most here, largest 2.7e-4. */
const arithmetic = { rms: 2e-4, largest: 2e-3 };
/** llama.cpp has F16 products and a table of GELU in F16: largest 1.5e-3 of the log-probabilities' spread. */
const otherEngine = { rms: 1e-3, largest: 3e-3 };

let files = 0;
function write(model: TinyModel): string {
  files += 1;
  return writeTinyModel(file(`${files}.gguf`), model);
}

/** Lengths that no number of lanes divides. */
function oddOptions(family: Family): TinyOptions {
  const { kvHeads = 3 }: TinyOptions = families[family];
  const sizes = { width: 42, heads: 3, headDim: 14, kvHeads: kvHeads === 1 ? 1 : 3, ffnWidth: 77 };
  return { ...families[family], ...sizes, vocabulary: 263 };
}

/** As the recipes do: other types for some matrices; rows of whole super-blocks. */
const typesByName: readonly (readonly [RegExp, FormatName])[] = [
  [/attn_v|token_embd/, "Q6_K"],
  [/down/, "Q5_K"],
  [/attn_q/, "Q4_0"],
  [/up/, "Q3_K"],
  [/./, "Q4_K"],
];
/** The steps of a quantized embedding would fall right between two codes, where no norm comes between. */
function typeFor({ norms }: TinyOptions): (name: string) => FormatName {
  return (name) => {
    if (norms === "behind" && name.startsWith("token_embd")) return "F16";
    return typesByName.find(([pattern]) => pattern.test(name))?.[1] ?? "F32";
  };
}
function quantizedOptions(family: Family): TinyOptions {
  const { experts, kvHeads }: TinyOptions = families[family];
  return {
    ...families[family],
    ...{
      width: 256,
      heads: 4,
      headDim: 64,
      ffnWidth: 256,
      layers: 1,
      type: typeFor(families[family]),
    },
    ...(kvHeads === undefined ? {} : { kvHeads }),
    ...(experts && {
      experts: { ...experts, width: 256, ...(experts.sharedWidth && { sharedWidth: 256 }) },
    }),
  };
}

async function expectReference(model: TinyModel, count: number, chunks: readonly number[]) {
  const path = write(model);
  const tokens = someTokens(count, model.config);
  const { logits } = runReference(model, tokens, { cached: roundToHalf });
  for (const chunk of chunks) {
    const ours = await nativeLogits(path, tokens, { chunk: () => chunk });
    const { rms, largest } = difference(ours, logits);
    expect(rms, `chunks of ${chunk}: rms`).toBeLessThan(arithmetic.rms);
    expect(largest, `chunks of ${chunk}: largest`).toBeLessThan(arithmetic.largest);
  }
}

describe.each(familyNames)("%s", (family) => {
  it("gives the reference's logits, at once and token by token", async () => {
    await expectReference(tinyModel(families[family]), 23, [23, 1, 6]);
  });

  it("has lengths that nothing divides", async () => {
    await expectReference(tinyModel(oddOptions(family)), 9, [9, 1]);
  });

  it("says what llama.cpp says", async () => {
    const model = tinyModel(families[family]);
    const path = write(model);
    const tokens = someTokens(60, model.config);
    const ours = await engineLogProbabilities("native", path, tokens);
    const theirs = await engineLogProbabilities("llama.cpp", path, tokens);
    const { rms, largest } = spreadDifference(ours, theirs);
    expect(rms).toBeLessThan(otherEngine.rms);
    expect(largest).toBeLessThan(otherEngine.largest);
  });

  describe("with a mixture of types", () => {
    const model = tinyModel(quantizedOptions(family));
    const tokens = someTokens(21, model.config);
    let path: string;
    beforeAll(() => {
      path = write(model);
    });

    it("gives the reference's logits where most activations round alike", async () => {
      const types = new Map(model.built.map(({ name, type }) => [name, type as FormatName]));
      const takesCodes = (name: string) => format(types.get(name) ?? "F32").values > 1;
      const { logits } = runReference(model, tokens, {
        cached: roundToHalf,
        input: (row, name) => (takesCodes(name) ? roundToCodes(row) : row),
      });
      for (const chunk of [21, 1]) {
        const ours = await nativeLogits(path, tokens, { chunk: () => chunk });
        // Some tokens are off: those with an activation that fell to the other one of two codes.
        const each = logits.map((row, t) => difference(ours.slice(t, t + 1), [row]).rms);
        const median = each.sort((a, b) => a - b)[Math.floor(each.length / 2)];
        expect(median, `chunks of ${chunk}: median of the tokens' rms`).toBeLessThan(1e-5);
      }
    });

    // Activations are rounded in blocks of other lengths.
    it("says about what llama.cpp says", async () => {
      const ours = await engineLogProbabilities("native", path, tokens);
      const theirs = await engineLogProbabilities("llama.cpp", path, tokens);
      expect(spreadDifference(ours, theirs).rms).toBeLessThan(0.05);
    });

    it("gives the same bits on any number of threads", async () => {
      for (const chunk of [21, 1]) {
        const run = async (threads: number) => {
          const rows = await nativeLogits(path, tokens, { threads, chunk: () => chunk });
          const hash = createHash("sha256");
          for (const row of rows) hash.update(row);
          return hash.digest("hex");
        };
        const one = await run(1);
        for (const threads of [2, 3]) expect(await run(threads)).toBe(one);
      }
    });
  });
});

describe("long texts", () => {
  it.each<[string, TinyOptions]>([
    ["gemma2", { ...families.gemma2, window: 300, logitCap: 30 }],
    ["gemma3", { ...families.gemma3, window: 100, windowPeriod: 2, layers: 2 }],
    ["qwen3moe", families.qwen3moe],
  ])("%s, across the borders of windows and batches", async (_, options) => {
    await expectReference(tinyModel({ ...options, vocabulary: 270 }), 530, [530, 97]);
  });
});

describe("what depends on a model's size", () => {
  it.each([
    ["gemma2", 46],
    ["gemma3", 62],
  ] as const)("%s with %i layers scales by the width of its heads", async (family, layers) => {
    const options = { ...families[family], layers, width: 32, ffnWidth: 32 };
    const model = tinyModel({ ...options, attentionByWidth: true });
    const tokens = someTokens(7, model.config);
    const ours = await nativeLogits(write(model), tokens);
    const exact = (config: TinyOptions) =>
      runReference(tinyModel({ ...options, ...config }), tokens, { cached: roundToHalf }).logits;
    // Errors grow with the depth (2.6e-4).
    expect(difference(ours, exact({ attentionByWidth: true })).rms).toBeLessThan(1e-3);
    expect(difference(ours, exact({})).rms).toBeGreaterThan(0.01);
  });

  it("phi3's factors are those of the context", async () => {
    const rope = { ...families["phi3 that turns a part"].rope, original: 256 };
    const options = { ...families["phi3 that turns a part"], rope };
    const tokens = someTokens(50, tinyModel(options).config);
    const [short, long] = [false, true].map((isLong) => {
      const model = tinyModel({ ...options, rope: { ...rope, isLong } });
      return runReference(model, tokens, { cached: roundToHalf }).logits;
    });
    const path = write(tinyModel(options));
    for (const [capacity, right, wrong] of [
      [256, short, long],
      [257, long, short],
    ] as const) {
      const ours = await nativeLogits(path, tokens, { capacity });
      expect(difference(ours, right ?? []).rms).toBeLessThan(arithmetic.rms);
      expect(difference(ours, wrong ?? []).rms).toBeGreaterThan(0.01);
    }
    for (const contextLength of [256, 512]) {
      const ours = await engineLogProbabilities("native", path, tokens, contextLength);
      const theirs = await engineLogProbabilities("llama.cpp", path, tokens, contextLength);
      expect(spreadDifference(ours, theirs).rms).toBeLessThan(otherEngine.rms);
    }
  });

  it("phi3 has no window, whatever its file says", async () => {
    const model = tinyModel(families.phi3);
    const key = { key: "phi3.attention.sliding_window", type: "u32", value: 3 };
    const metadata = [...model.metadata, key];
    const path = writeTinyModel(file("window.gguf"), model, { metadata });
    const tokens = someTokens(30, model.config);
    const ours = await nativeLogits(path, tokens);
    expect(ours).toEqual(await nativeLogits(write(model), tokens));
    const theirs = await engineLogProbabilities("llama.cpp", path, tokens);
    const again = await engineLogProbabilities("native", path, tokens);
    expect(spreadDifference(again, theirs).rms).toBeLessThan(otherEngine.rms);
  });

  it("gpt2 has no context beyond the positions that it has learned", async () => {
    const path = write(tinyModel({ ...families.gpt2, learnedPositions: 24 }));
    const model = await nativeEngine.load(await readGguf(path), { threads: 1 });
    await model.createContext(24);
    await expect(model.createContext(25)).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      details: { option: "contextLength" },
    });
    await model.dispose();
  });
});
