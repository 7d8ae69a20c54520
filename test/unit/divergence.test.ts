import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { createDivergence, type DivergenceReport } from "../../src/run/divergence.js";
import { createRandom } from "../../src/run/random.js";
import { createRecorder } from "../../src/run/reference-record.js";

interface Position {
  readonly reference: Float32Array;
  readonly logits: Float32Array;
  readonly target: number;
}

const random = createRandom(2024);

/** Pairs of predictions of which the second is the first with noise. */
function positions(count: number, vocabulary: number, noise: number, scale = 8): Position[] {
  return Array.from({ length: count }, () => {
    const reference = Float32Array.from({ length: vocabulary }, () => scale * random());
    const logits = reference.map((x) => x + noise * (random() - 0.5));
    return { reference, logits, target: Math.floor(vocabulary * random()) };
  });
}

function report(all: readonly Position[]): DivergenceReport {
  const divergence = createDivergence();
  for (const { reference, logits, target } of all) divergence.add(reference, logits, target);
  return divergence.report();
}

/** From records of the `topK` most probable tokens. */
function recordReport(all: readonly Position[], topK: number): DivergenceReport {
  const divergence = createDivergence();
  const recordOf = createRecorder(all[0]!.logits.length, topK);
  for (const { reference, logits, target } of all)
    divergence.addRecord(recordOf(reference, target), logits, target);
  return divergence.report();
}

function softmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  const weights = [...logits].map((x) => Math.exp(x - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((x) => x / sum);
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Standard error of a mean, and of the mean of a - b through their covariance. */
function covariance(a: readonly number[], b: readonly number[]): number {
  const products = a.map((x, i) => (x - mean(a)) * (b[i]! - mean(b)));
  return mean(products) / (a.length - 1);
}

function error(values: readonly number[]): number {
  return Math.sqrt(covariance(values, values));
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = part * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return below + (place - Math.floor(place)) * (above - below);
}

/** Every number by its textbook formula. */
function slow(all: readonly Position[]) {
  const p = all.map(({ reference }) => softmax(reference));
  const q = all.map(({ logits }) => softmax(logits));
  const of = (rows: number[][]) => rows.map((row, i) => row[all[i]!.target]!);
  const nll = of(q).map((x) => -Math.log(x));
  const referenceNll = of(p).map((x) => -Math.log(x));
  const kld = p.map((row, i) => row.reduce((sum, x, k) => sum + x * Math.log(x / q[i]![k]!), 0));
  const change = of(q).map((x, i) => x - of(p)[i]!);
  const same = mean(
    p.map((row, i) =>
      row.indexOf(Math.max(...row)) === q[i]!.indexOf(Math.max(...q[i]!)) ? 1 : 0,
    ),
  );
  const logRatio = mean(nll) - mean(referenceNll);
  const logRatioError = Math.sqrt(
    covariance(nll, nll) +
      covariance(referenceNll, referenceNll) -
      2 * covariance(nll, referenceNll),
  );
  const squares = change.map((x) => x * x);
  const rms = Math.sqrt(mean(squares));
  return {
    perplexity: [Math.exp(mean(nll)), Math.exp(mean(nll)) * error(nll)],
    referencePerplexity: [
      Math.exp(mean(referenceNll)),
      Math.exp(mean(referenceNll)) * error(referenceNll),
    ],
    logPerplexityRatio: [logRatio, logRatioError],
    perplexityRatio: [Math.exp(logRatio), Math.exp(logRatio) * logRatioError],
    kld: [mean(kld), error(kld)],
    percentiles: [0.5, 0.9, 0.95, 0.99, 0.999, 1].map((part) => percentile(kld, part)),
    sameTop: [same, Math.sqrt((same * (1 - same)) / (all.length - 1))],
    change: [mean(change), error(change)],
    rms: [rms, error(squares) / (2 * rms)],
  };
}

/** A report in the order of `slow`. */
function numbers(r: DivergenceReport): Record<keyof ReturnType<typeof slow>, number[]> {
  const pair = (estimate: { value: number; standardError: number }) => [
    estimate.value,
    estimate.standardError,
  ];
  const { median, percentile90, percentile95, percentile99, percentile999, maximum } = r.kld;
  return {
    perplexity: pair(r.perplexity),
    referencePerplexity: pair(r.referencePerplexity),
    logPerplexityRatio: pair(r.logPerplexityRatio),
    perplexityRatio: pair(r.perplexityRatio),
    kld: pair(r.kld.mean),
    percentiles: [median, percentile90, percentile95, percentile99, percentile999, maximum],
    sameTop: pair(r.sameTop),
    change: pair(r.probabilityChange.mean),
    rms: pair(r.probabilityChange.rms),
  };
}

function expectClose(
  actual: DivergenceReport,
  expected: ReturnType<typeof slow>,
  relative: number,
) {
  for (const [name, values] of Object.entries(numbers(actual))) {
    expected[name as keyof typeof expected].forEach((value, i) => {
      const off = Math.abs(values[i]! - value) / Math.max(Math.abs(value), 1e-3);
      expect(off, `${name}[${i}]: ${values[i]} and ${value}`).toBeLessThan(relative);
    });
  }
}

function expectCode(work: () => unknown, code: NibbleErrorCode): void {
  expect(work).toThrow(expect.toSatisfy((thrown) => isNibbleError(thrown, code)));
}

describe("divergence", () => {
  it.each([
    [2, 2, 1],
    [37, 50, 3],
    [1500, 20, 0.5],
    [300, 333, 6],
  ])("of %i positions, %i tokens, noise %d is what the formulas say", (count, size, noise) => {
    const all = positions(count, size, noise);
    // Single divergences are kept in 32 bits.
    expectClose(report(all), slow(all), 1e-6);
    expect(report(all).positions).toBe(count);
  });

  it("of 1/2, 1/2 from 1/4, 3/4 by hand", () => {
    const reference = Float32Array.of(Math.log(0.25), Math.log(0.75));
    const logits = Float32Array.of(5, 5);
    const one = { reference, logits, target: 1 };
    const { kld, perplexity, referencePerplexity, sameTop, probabilityChange } = report([one]);
    expect(kld.mean.value).toBeCloseTo(0.25 * Math.log(0.5) + 0.75 * Math.log(1.5), 7);
    expect(kld.median).toBeCloseTo(0.130812, 6);
    expect(kld.maximum).toBe(kld.median);
    expect(perplexity.value).toBeCloseTo(2, 7);
    expect(perplexity.standardError).toBeNaN();
    expect(referencePerplexity.value).toBeCloseTo(4 / 3, 6);
    expect(sameTop.value).toBe(0);
    expect(probabilityChange.mean.value).toBeCloseTo(-0.25, 7);
    expect(probabilityChange.rms.value).toBeCloseTo(0.25, 7);
  });

  it("of a model from itself is nothing, also with all logits shifted", () => {
    const same = positions(50, 100, 0).map((p) => ({
      ...p,
      logits: p.reference.map((x) => x + 4),
    }));
    for (const result of [report(same), recordReport(same, 10), recordReport(same, 100)]) {
      expect(result.kld.maximum).toBeLessThan(1e-9);
      expect(result.sameTop).toEqual({ value: 1, standardError: 0 });
      expect(result.perplexityRatio.value).toBeCloseTo(1, 6);
      expect(result.probabilityChange.rms.value).toBeLessThan(1e-6);
    }
  });

  it("has the percentiles between the two nearest values", () => {
    const all = positions(4, 10, 5);
    const klds = all.map((one) => report([one]).kld.maximum).sort((a, b) => a - b);
    const { kld } = report(all);
    expect(kld.median).toBeCloseTo((klds[1]! + klds[2]!) / 2, 6);
    expect(kld.percentile90).toBeCloseTo(klds[2]! + 0.7 * (klds[3]! - klds[2]!), 6);
    expect(kld.maximum).toBe(klds[3]);
  });

  it("bears tokens that are impossible for both, and is infinite where the model excludes one", () => {
    const reference = Float32Array.of(0, -Infinity, 1);
    const both = { reference, logits: Float32Array.of(0, -Infinity, 1), target: 2 };
    for (const result of [report([both]), recordReport([both], 3), recordReport([both], 1)])
      expect(result.kld.maximum).toBeLessThan(1e-12);
    const excluded = { reference, logits: Float32Array.of(-Infinity, 0, 1), target: 2 };
    for (const result of [report([excluded]), recordReport([excluded], 3)]) {
      expect(result.kld.maximum).toBe(Infinity);
      expect(result.kld.mean.value).toBe(Infinity);
      expect(result.perplexity.value).toBeGreaterThan(1);
    }
  });

  it("bears logits of any size", () => {
    const large = Float32Array.of(3e38, -3e38, 1e38);
    expect(report([{ reference: large, logits: large, target: 0 }]).kld.maximum).toBe(0);
  });

  it("refuses what cannot be compared", () => {
    const three = Float32Array.of(1, 2, 3);
    const divergence = createDivergence();
    expectCode(() => divergence.report(), "ERR_ARGUMENT");
    expectCode(() => divergence.add(three, Float32Array.of(1, 2), 0), "ERR_ARGUMENT");
    for (const target of [-1, 3, 0.5, NaN])
      expectCode(() => divergence.add(three, three, target), "ERR_ARGUMENT");
    for (const bad of [
      [NaN, 1, 2],
      [0, NaN, 1],
      [0, 1, Infinity],
      [-Infinity, -Infinity, -Infinity],
    ]) {
      const logits = Float32Array.from(bad);
      expectCode(() => divergence.add(three, logits, 0), "ERR_UNSUPPORTED");
      expectCode(() => divergence.add(logits, three, 0), "ERR_UNSUPPORTED");
      expectCode(() => createRecorder(3, 2)(logits, 0), "ERR_UNSUPPORTED");
      const record = createRecorder(3, 2)(three, 0);
      expectCode(() => divergence.addRecord(record, logits, 0), "ERR_UNSUPPORTED");
    }
    const record = createRecorder(3, 2)(three, 0);
    expectCode(() => divergence.addRecord(record, three, 1), "ERR_ARGUMENT");
    expectCode(() => divergence.addRecord(record, Float32Array.of(1, 2), 0), "ERR_ARGUMENT");
    // Nothing of that was counted.
    divergence.add(three, three, 2);
    expect(divergence.report().positions).toBe(1);
  });
});

describe("divergence from a record", () => {
  it("of the whole vocabulary is that from the logits", () => {
    const all = positions(200, 40, 4);
    expectClose(recordReport(all, 40), slow(all), 2e-6);
  });

  it("of the most probable tokens is a lower bound that grows with their number", () => {
    const size = 24;
    const value = fc.float({ min: -20, max: 20, noNaN: true });
    const logits = fc.array(value, { minLength: size, maxLength: size });
    const property = fc.property(logits, logits, fc.nat(size - 1), (p, q, target) => {
      const one = { reference: Float32Array.from(p), logits: Float32Array.from(q), target };
      const exact = report([one]).kld.maximum;
      let before = 0;
      for (let topK = 1; topK <= size; topK += 1) {
        const bound = recordReport([one], topK).kld.maximum;
        expect(bound).toBeGreaterThanOrEqual(before - 1e-5 * (1 + before));
        before = bound;
      }
      expect(Math.abs(before - exact)).toBeLessThan(1e-5 * (1 + exact));
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("knows a small rest: what all other tokens have is summed by itself", () => {
    const reference = Float32Array.of(0, -40, -41);
    const logits = Float32Array.of(0, -50, -41);
    const { kld } = recordReport([{ reference, logits, target: 0 }], 1);
    expect(kld.maximum).toBeGreaterThanOrEqual(0);
    expect(kld.maximum).toBeLessThan(1e-15);
  });

  it("keeps perplexities and the same top token", () => {
    const all = positions(100, 64, 4);
    const exact = report(all);
    const { perplexity, referencePerplexity, sameTop, probabilityChange } = recordReport(all, 4);
    expect(perplexity.value).toBeCloseTo(exact.perplexity.value, 10);
    expect(referencePerplexity.value).toBeCloseTo(exact.referencePerplexity.value, 4);
    expect(sameTop).toEqual(exact.sameTop);
    expect(probabilityChange.rms.value).toBeCloseTo(exact.probabilityChange.rms.value, 7);
  });
});
