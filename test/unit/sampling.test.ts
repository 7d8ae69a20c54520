import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { createRandom } from "../../src/run/random.js";
import { filterTokens, Scratch, type FilterSettings } from "../../src/run/sampling-filters.js";
import { createSampler, type SamplingOptions } from "../../src/run/sampling.js";

const off = { repeatPenalty: 1, topK: 0, topP: 1, minP: 0, temperature: 1 } as const;

/** Few different values, so that ties are usual; impossible tokens among them. */
const logit = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -12, max: 12 }).map((x) => x / 4) },
  { weight: 3, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, -Infinity) },
);
const logitsOf = (maxLength: number) =>
  fc
    .array(logit, { minLength: 1, maxLength })
    .map((values) => Float32Array.from(values))
    .filter((values) => values.some((x) => x > -Infinity));

/** The filters by their definitions: sort everything, then cut. */
function slowFilter(values: Float32Array, { topK, topP, minP }: FilterSettings): number[] {
  let ids = [...values.keys()].filter((id) => values[id]! > -Infinity);
  ids.sort((a, b) => values[b]! - values[a]! || a - b);
  if (topK > 0) ids = ids.slice(0, topK);
  const most = values[ids[0]!]!;
  const weights = ids.map((id) => Math.exp(values[id]! - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  if (topP < 1) {
    let reached = 0;
    const end = weights.findIndex((weight) => (reached += weight) >= topP * sum);
    if (end >= 0) ids = ids.slice(0, end + 1);
  }
  if (minP > 0) ids = ids.filter((id) => values[id]! - most >= Math.log(minP));
  return ids.sort((a, b) => a - b);
}

function fastFilter(values: Float32Array, settings: FilterSettings): number[] {
  const scratch = new Scratch();
  scratch.reserve(values.length);
  const most = Math.max(...values.filter((x) => x > -Infinity));
  return [...filterTokens(values, most, settings, scratch)];
}

describe("filters", () => {
  const topK = fc.integer({ min: 0, max: 70 });
  // No sums of quarters of exp() hit these exactly: which side rounding takes is not what is tested.
  const topP = fc.constantFrom(0, 0.0731, 0.3333, 0.6147, 0.9177, 0.95013, 0.99931, 1);
  const minP = fc.constantFrom(0, 0.0101, 0.0503, 0.31, 0.75, 1);

  it.each<[string, fc.Arbitrary<FilterSettings>]>([
    ["top-k", fc.record({ topK, topP: fc.constant(1), minP: fc.constant(0) })],
    ["top-p", fc.record({ topK: fc.constant(0), topP, minP: fc.constant(0) })],
    ["min-p", fc.record({ topK: fc.constant(0), topP: fc.constant(1), minP })],
    ["all together", fc.record({ topK, topP, minP })],
  ])("%s keeps what sorting everything keeps", (_, settings) => {
    const property = fc.property(logitsOf(60), settings, (values, chosen) => {
      expect(fastFilter(values, chosen)).toEqual(slowFilter(values, chosen));
    });
    fc.assert(property, { numRuns: 500 });
  });

  it("top-p orders a large flat vocabulary", () => {
    const random = createRandom(5);
    const values = Float32Array.from({ length: 20_000 }, () => random());
    const settings = { topK: 0, topP: 0.5, minP: 0 };
    expect(fastFilter(values, settings)).toEqual(slowFilter(values, settings));
  });

  it("keeps the lower ids of equal logits", () => {
    expect(fastFilter(Float32Array.of(1, 2, 2, 2, 2), { topK: 2, topP: 1, minP: 0 })).toEqual([
      1, 2,
    ]);
    expect(fastFilter(Float32Array.of(2, 2, 2, 2), { topK: 0, topP: 0.5, minP: 0 })).toEqual([
      0, 1,
    ]);
  });
});

describe("a sampler", () => {
  const logits = Float32Array.of(2, 1, 0.5, -Infinity, NaN, 0, -3);

  function draws(options: SamplingOptions, count: number, values = logits): number[] {
    const sampler = createSampler(options);
    const history: number[] = [];
    for (let i = 0; i < count; i += 1) history.push(sampler.choose(values, history));
    return history;
  }

  it("gives the same tokens for the same seed, others for another", () => {
    const first = draws({ seed: 7, temperature: 1.5, repeatPenalty: 1.2 }, 200);
    expect(draws({ seed: 7, temperature: 1.5, repeatPenalty: 1.2 }, 200)).toEqual(first);
    expect(draws({ seed: 8, temperature: 1.5, repeatPenalty: 1.2 }, 200)).not.toEqual(first);
  });

  it("tells the seed that it chose", () => {
    const sampler = createSampler(off);
    const tokens = Array.from({ length: 50 }, () => sampler.choose(logits, []));
    expect(draws({ ...off, seed: sampler.seed }, 50)).toEqual(tokens);
  });

  it.each([0.5, 1, 2])("draws by the probabilities at temperature %d", (temperature) => {
    const count = 100_000;
    const seen = new Map<number, number>();
    for (const id of draws({ ...off, temperature, seed: 12 }, count))
      seen.set(id, (seen.get(id) ?? 0) + 1);
    const ids = [0, 1, 2, 5, 6];
    const weights = ids.map((id) => Math.exp(logits[id]! / temperature));
    const sum = weights.reduce((a, b) => a + b, 0);
    const chiSquare = ids.reduce((total, id, i) => {
      const expected = (count * weights[i]!) / sum;
      return total + ((seen.get(id) ?? 0) - expected) ** 2 / expected;
    }, 0);
    // 99.9 % of samples with 4 degrees of freedom are below.
    expect(chiSquare).toBeLessThan(18.47);
    expect([...seen.keys()].every((id) => ids.includes(id))).toBe(true);
  });

  it("takes the first of the most probable at temperature 0, with penalty", () => {
    const values = Float32Array.of(1, 3, 3, 2);
    expect(draws({ temperature: 0 }, 3, values)).toEqual([1, 1, 1]);
    expect(draws({ temperature: 0, repeatPenalty: 2 }, 4, values)).toEqual([1, 2, 3, 1]);
  });

  it("makes recent tokens less probable, whatever the sign, and only recent ones", () => {
    const negative = Float32Array.of(-1, -1.5);
    expect(createSampler({ temperature: 0, repeatPenalty: 2 }).choose(negative, [0])).toBe(1);
    const short = { temperature: 0, repeatPenalty: 2, repeatLastN: 1 };
    expect(createSampler(short).choose(negative, [0, 1])).toBe(0);
    expect(createSampler({ ...short, repeatLastN: 0 }).choose(negative, [0])).toBe(0);
    expect([...negative]).toEqual([-1, -1.5]);
    // Ids of no token are no reason to fail.
    expect(createSampler(short).choose(negative, [99])).toBe(0);
  });

  it("never draws the impossible", () => {
    fc.assert(
      fc.property(logitsOf(20), fc.integer({ min: 0, max: 1000 }), (values, seed) => {
        const id = createSampler({ ...off, temperature: 3, seed }).choose(values, []);
        expect(values[id]).toBeGreaterThan(-Infinity);
      }),
    );
  });

  it("bears extremes", () => {
    expect(draws({ temperature: 5e-324 }, 5, Float32Array.of(0, 1, 0))).toEqual([1, 1, 1, 1, 1]);
    expect(draws({ topP: 0, minP: 1, topK: 1 }, 2, Float32Array.of(0, 1))).toEqual([1, 1]);
    expect(draws({ ...off, topP: 0.5, minP: 0.5 }, 2, Float32Array.of(0, Infinity))).toEqual([
      1, 1,
    ]);
  });

  it("uses its arrays again for vocabularies of other sizes", () => {
    const sampler = createSampler({ seed: 3 });
    for (const length of [5, 100, 3, 1]) {
      const id = sampler.choose(new Float32Array(length), []);
      expect(id).toBeLessThan(length);
    }
  });

  it.each([[[]], [[NaN]], [[-Infinity, NaN]]])("refuses logits %j", (values) => {
    expect(() => createSampler().choose(Float32Array.from(values), [])).toThrow(
      expect.toSatisfy((error) => isNibbleError(error, "ERR_UNSUPPORTED")),
    );
  });

  it.each<SamplingOptions>([
    { temperature: -0.1 },
    { temperature: NaN },
    { temperature: Infinity },
    { topK: -1 },
    { topK: 1.5 },
    { topP: 1.01 },
    { topP: NaN },
    { minP: -0.01 },
    { repeatPenalty: 0 },
    { repeatLastN: -1 },
    { seed: 2 ** 32 },
    { seed: 0.5 },
    { topK: "40" as unknown as number },
  ])("refuses %j", (options) => {
    const [name] = Object.keys(options);
    expect(() => createSampler(options)).toThrow(
      expect.toSatisfy(
        (error) => isNibbleError(error, "ERR_ARGUMENT") && error.details.option === name,
      ),
    );
  });
});

describe("random numbers", () => {
  /** sfc32 as its author writes it, on integers that do not wrap by themselves. */
  function slow(seed: number, count: number): number[] {
    const u32 = (x: bigint) => BigInt.asUintN(32, x);
    let [a, b, c, counter] = [0n, BigInt(seed), 0n, 1n];
    const all = Array.from({ length: count + 12 }, () => {
      const out = u32(a + b + counter);
      counter = u32(counter + 1n);
      a = b ^ (b >> 9n);
      b = u32(c + (c << 3n));
      c = u32(u32((c << 21n) | (c >> 11n)) + out);
      return Number(out) / 2 ** 32;
    });
    return all.slice(12);
  }

  it.each([0, 1, 42, 0x80000000, 0xffffffff])("are sfc32's (seed %d)", (seed) => {
    const random = createRandom(seed);
    const numbers = Array.from({ length: 1000 }, random);
    expect(numbers).toEqual(slow(seed, 1000));
    expect(numbers.every((x) => x >= 0 && x < 1)).toBe(true);
  });
});
