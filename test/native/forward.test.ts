import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { format, formats, type FormatName } from "../../src/formats.js";
import { machine } from "../../src/native/load.js";
import { contextLogits, difference, nativeLogits, openNative } from "../helpers/native-run.js";
import { families } from "../helpers/families.js";
import type { RopeScaling } from "../helpers/reference-config.js";
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
const architectures = ["llama", "qwen2", "qwen3"] as const;
type Architecture = (typeof architectures)[number];
const types = formats.filter(({ codec }) => codec).map(({ name }) => name);
const { isas } = machine();

/** Differences by the root mean square of the logits. */
interface Bound {
  readonly rms: number;
  readonly largest: number;
}
/**
 * What is left when the reference rounds as the engine does: float arithmetic (3e-7 in one layer), and values that fall to
 * the other side when they are rounded to F16 (up to 5e-5 in three layers).
 */
const arithmetic = { rms: 2e-4, largest: 2e-3 };
/** What an F16 cache costs (2.7e-4 at most in three layers), and int8 activations (1.6e-2). */
const cached = { rms: 5e-4, largest: 4e-3 };
const quantized = { rms: 2.5e-2, largest: 0.12 };
/** Activations that are rounded to BF16 as their weights are (2.9e-3). */
const rounded = { rms: 6e-3, largest: 4e-2 };

let files = 0;
function write(model: TinyModel): string {
  files += 1;
  return writeTinyModel(file(`${files}.gguf`), model);
}

/** Rows are whole blocks: multiples of 256 values or less, of 32 for most types, and of floats anything. */
function shapeFor(type: FormatName, architecture: Architecture): TinyOptions {
  if (format(type).values > 32) return { width: 256, heads: 4, headDim: 64, ffnWidth: 256 };
  return architecture === "qwen3" ? { headDim: 24 } : {};
}

function takesCodes(type: FormatName): boolean {
  return format(type).values > 1;
}

/** Whether prompts' activations are rounded to BF16. */
function roundsToBf16(type: FormatName): boolean {
  return type === "BF16" && machine().isa === "x86_avx512bf16";
}

function boundOf(type: FormatName): Bound {
  if (takesCodes(type)) return quantized;
  return roundsToBf16(type) ? rounded : cached;
}

function expectClose(
  ours: readonly Float32Array[],
  theirs: Parameters<typeof difference>[1],
  bound: Bound,
  what = "",
): void {
  const { rms, largest } = difference(ours, theirs);
  expect(rms, `${what}: rms`).toBeLessThan(bound.rms);
  expect(largest, `${what}: largest`).toBeLessThan(bound.largest);
}

/**
 * Where the reference rounds to int8 as the engine does, most tokens agree to the last bits of a float (3e-7), and some
 * are off by 1e-2: those with an activation so near to the middle of two codes that it fell to the other side.
 */
function expectSameCodes(ours: readonly Float32Array[], model: TinyModel, tokens: number[]): void {
  const { logits } = runReference(model, tokens, { cached: roundToHalf, input: roundToCodes });
  const each = logits.map((row, t) => difference(ours.slice(t, t + 1), [row]).rms);
  const median = each.sort((a, b) => a - b)[Math.floor(each.length / 2)];
  expect(median, "median of the tokens' rms with the same codes").toBeLessThan(1e-5);
}

/** Everything that holds between a type's logits and the reference's. */
function expectReference(
  ours: readonly Float32Array[],
  model: TinyModel,
  tokens: number[],
  type: FormatName,
  what: string,
): void {
  const exact = runReference(model, tokens).logits;
  expectClose(ours, exact, boundOf(type), what);
  if (takesCodes(type)) {
    // One code that falls to the other side moves many in the layers behind.
    if (model.config.layers === 1) expectSameCodes(ours, model, tokens);
    return;
  }
  if (roundsToBf16(type)) return;
  const { logits } = runReference(model, tokens, { cached: roundToHalf });
  expectClose(ours, logits, arithmetic, `${what}, with F16 keys and values`);
}

/** Compares models of 1, 2 ... layers, whose first layers are the same: the first that fails names the layer. */
async function expectLayers(options: TinyOptions, count: number): Promise<void> {
  const { layers = 3 } = options;
  const type = (options.type ?? "F32") as FormatName;
  for (let n = 1; n <= layers; n += 1) {
    const model = tinyModel({ ...options, layers: n });
    const tokens = someTokens(count, model.config);
    const ours = await nativeLogits(write(model), tokens);
    expectReference(ours, model, tokens, type, `after layer ${n}`);
  }
}

function bitsOf(rows: readonly Float32Array[]): string {
  const hash = createHash("sha256");
  for (const row of rows) hash.update(row);
  return hash.digest("hex");
}

describe("logits of the reference, layer by layer", () => {
  for (const architecture of architectures) {
    it.each(types)(`${architecture} in %s`, async (type) => {
      await expectLayers({ ...families[architecture], type, ...shapeFor(type, architecture) }, 13);
    });
  }

  it.each<[string, TinyOptions]>([
    ["no grouped queries", { kvHeads: 4 }],
    ["one kv head", { kvHeads: 1 }],
    ["a tied embedding", { tied: true, type: "Q8_0" }],
    [
      "shapes that nothing divides",
      { width: 66, heads: 6, kvHeads: 3, headDim: 14, ffnWidth: 77, vocabulary: 263 },
    ],
    ["heads longer than the width", { ...families.qwen3, heads: 2, kvHeads: 1, headDim: 80 }],
    ["one head", { heads: 1, kvHeads: 1 }],
    ["a part of a head turned", { ropeDims: 10 }],
    ["a part of a head turned by halves", { ...families.qwen2, ropeDims: 6 }],
    ["an attention scale of its own", { attentionScale: 0.5 }],
    ["another base", { ropeBase: 500000, headDim: 32 }],
    ["a large eps", { normEps: 0.25 }],
    ["a window of 1", { window: 1 }],
    ["a window of 4", { window: 4 }],
    ["a window as long as the text", { window: 21 }],
    ["a window longer than the text", { window: 100 }],
  ])("%s", async (_, options) => {
    await expectLayers({ layers: 2, ...options }, 21);
  });

  const llama3 = { kind: "llama3", factor: 8, lowFactor: 1, highFactor: 4, original: 64 } as const;
  const yarn = { kind: "yarn", factor: 4, original: 128 } as const;
  it.each<[string, RopeScaling]>([
    ["linear", { kind: "linear", factor: 4 }],
    ["llama3", llama3],
    ["llama3 at full size", { ...llama3, original: 8192 }],
    ["yarn", yarn],
    ["yarn at full size", { ...yarn, factor: 32, original: 4096 }],
    ["yarn with betas of its own", { ...yarn, betaFast: 8, betaSlow: 2 }],
    ["yarn with a factor of attention", { ...yarn, attentionFactor: 0.75 }],
    ["yarn that stretches every pair", { ...yarn, original: 2 }],
    ["yarn that stretches none", { ...yarn, original: 2 ** 31 }],
  ])("rope scaling %s", async (_, rope) => {
    for (const architecture of architectures) {
      await expectLayers({ ...families[architecture], rope, headDim: 32, layers: 1 }, 70);
    }
  });

  it("a rope scaling changes the logits", async () => {
    const tokens = Array.from({ length: 40 }, (_, i) => i);
    const plain = await nativeLogits(write(tinyModel({ layers: 1 })), tokens);
    for (const rope of [{ kind: "linear", factor: 4 }, llama3, yarn] as const) {
      const other = await nativeLogits(write(tinyModel({ layers: 1, rope })), tokens);
      expect(difference(plain, other).rms, rope.kind).toBeGreaterThan(0.01);
    }
  });
});

describe("lengths and chunks", () => {
  const model = tinyModel({ ...families.qwen2, vocabulary: 270 });
  const tokens = someTokens(1100, model.config);
  const reference = runReference(model, tokens, { cached: roundToHalf }).logits;
  let path: string;
  let whole: Float32Array[];
  beforeAll(async () => {
    path = write(model);
    whole = await nativeLogits(path, tokens);
  });

  it.each([1, 2, 3, 4, 5, 31, 33, 511, 512, 513, 1025, 1100])("%i tokens", async (count) => {
    const ours = await nativeLogits(path, tokens.slice(0, count));
    expectClose(ours, reference.slice(0, count), arithmetic);
  });

  it.each<[string, (position: number) => number]>([
    ["token by token", () => 1],
    ["three at a time", () => 3],
    ["in uneven chunks", (position) => 1 + ((position * 7919) % 97)],
    ["one, then the rest", (position) => (position === 0 ? 1 : 600)],
    ["511, then 2, then the rest", (position) => [511, 2][[0, 511].indexOf(position)] ?? 587],
  ])("%s", async (_, chunk) => {
    expectClose(await nativeLogits(path, tokens, { chunk }), whole, arithmetic);
  });

  it("in chunks with a window", async () => {
    const windowed = tinyModel({ window: 9, layers: 2 });
    const some = someTokens(80, windowed.config);
    const { logits } = runReference(windowed, some, { cached: roundToHalf });
    for (const chunk of [1, 7, 9, 50]) {
      const ours = await nativeLogits(write(windowed), some, { chunk: () => chunk });
      expectClose(ours, logits, arithmetic, `chunks of ${chunk}`);
    }
  });

  it.each(["F32", "Q4_0"] as const)(
    "any number of threads gives the same bits in %s",
    async (type) => {
      const other = write(tinyModel({ type, width: 128, ffnWidth: 416, vocabulary: 1000 }));
      const some = tokens.slice(0, 600);
      for (const chunk of [() => 600, () => 1]) {
        const count = chunk() === 1 ? 40 : 600;
        const run = (threads: number) =>
          nativeLogits(other, some.slice(0, count), { threads, chunk });
        const one = await run(1);
        for (const threads of [2, 3, 8]) expect(bitsOf(await run(threads))).toBe(bitsOf(one));
      }
    },
  );

  it.each(["F16", "Q8_0"] as const)("a cache of %s beside that of F16", async (cache) => {
    const long = tinyModel({ width: 128, headDim: 32 });
    const some = someTokens(300, long.config);
    const exact = runReference(long, some).logits;
    const bound = cache === "F16" ? cached : { rms: 1.5e-2, largest: 0.12 };
    for (const chunk of [() => 300, () => 11]) {
      expectClose(await nativeLogits(write(long), some, { cache, chunk }), exact, bound);
    }
  });
});

describe.each(isas)("the instruction set %s", (isa) => {
  beforeAll(() => {
    const before = process.env.NIBBLE_FORCE_ISA;
    process.env.NIBBLE_FORCE_ISA = isa;
    return () => {
      if (before === undefined) delete process.env.NIBBLE_FORCE_ISA;
      else process.env.NIBBLE_FORCE_ISA = before;
    };
  });

  it.each(types)("computes with %s", async (type) => {
    expect(machine().isa).toBe(isa);
    const architecture = "qwen3";
    const shape = shapeFor(type, architecture);
    const model = tinyModel({ ...families[architecture], type, ...shape, layers: 1 });
    const path = write(model);
    const tokens = someTokens(9, model.config);
    for (const chunk of [9, 1]) {
      const ours = await nativeLogits(path, tokens, { chunk: () => chunk });
      expectReference(ours, model, tokens, type, `chunks of ${chunk}`);
    }
  });
});

describe("a context", () => {
  const model = tinyModel();
  const { vocabulary } = model.config;
  const tokens = Int32Array.from(someTokens(600, model.config));
  const last = tokens.length - 1;
  let path: string;
  let whole: Float32Array[];
  beforeAll(async () => {
    path = write(model);
    whole = await nativeLogits(path, [...tokens]);
  });

  async function context(capacity = tokens.length) {
    const opened = await openNative(path);
    return opened.createContext({ capacity, threads: 2, cache: "F16" }).promise;
  }

  it.each([0, 1, 300, 511, 512, 513, last])("keeps from token %i on", async (keep) => {
    const kept = await context();
    const ended = await kept.evaluate(tokens, keep, true).promise;
    const count = tokens.length - keep;
    const logits = await kept.logits(0, count).promise;
    expect(logits.length).toBe(count * vocabulary);
    const rows = Array.from({ length: count }, (_, i) =>
      logits.subarray(i * vocabulary, (i + 1) * vocabulary),
    );
    // Other numbers of rows take other kernels.
    expectClose(rows, whole.slice(keep), arithmetic);
    expectClose([ended], whole.slice(-1), arithmetic);
    expectClose([await kept.logits(count - 1, 1).promise], whole.slice(-1), arithmetic);
  });

  it("keeps nothing, and goes on", async () => {
    const kept = await context();
    const none = await kept.evaluate(tokens.subarray(0, 599), 599, false).promise;
    expect(none.length).toBe(0);
    const ended = await kept.evaluate(tokens.subarray(599), 0, true).promise;
    expectClose([ended], whole.slice(-1), arithmetic);
  });

  it("gives the logarithms of the softmax of its logits", async () => {
    const kept = await context();
    await kept.evaluate(tokens, 100, false).promise;
    const targets = tokens.subarray(101);
    const logs = await kept.logProbabilities(0, targets).promise;
    const expected = Array.from(targets, (target, i) => {
      const row = Float64Array.from(whole[100 + i] ?? []);
      const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
      const total = row.reduce((sum, value) => sum + Math.exp(value - largest), 0);
      return (row[target] ?? NaN) - largest - Math.log(total);
    });
    expect(logs.length).toBe(expected.length);
    const worst = expected.map((value, i) => Math.abs(value - (logs[i] ?? NaN)));
    expect(worst.reduce((a, b) => Math.max(a, b))).toBeLessThan(1e-4);
    // From the middle of what is kept.
    const some = await kept.logProbabilities(400, targets.subarray(400, 403)).promise;
    some.forEach((value, i) => expect(value).toBeCloseTo(logs[400 + i] ?? NaN, 4));
  });

  it("starts anew when it is cleared", async () => {
    const kept = await context();
    const first = await contextLogits(kept, vocabulary, [...tokens]);
    kept.truncate(0);
    expect(bitsOf(await contextLogits(kept, vocabulary, [...tokens]))).toBe(bitsOf(first));
    kept.truncate(0);
    const other = await contextLogits(kept, vocabulary, [...tokens].slice(7, 90));
    const fresh = await nativeLogits(path, [...tokens].slice(7, 90));
    expect(bitsOf(other)).toBe(bitsOf(fresh));
  });

  it("goes on behind what it keeps as if the rest had never been", async () => {
    const [kept, fresh] = [await context(), await context()];
    const rest = [...tokens].slice(50, 90);
    await kept.evaluate(Int32Array.from([...tokens.slice(0, 50), ...tokens.slice(3, 30)]), 0, false)
      .promise;
    kept.truncate(1000);
    kept.truncate(50);
    await fresh.evaluate(Int32Array.from(tokens.slice(0, 50)), 0, false).promise;
    const expected = await contextLogits(fresh, vocabulary, rest);
    expect(bitsOf(await contextLogits(kept, vocabulary, rest))).toBe(bitsOf(expected));
  });
});
