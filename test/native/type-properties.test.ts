import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { format, formats, type FormatName } from "../../src/formats.js";
import { loadAddon } from "../../src/native/load.js";
import { errorLimit } from "../../src/quantize/error-limits.js";
import { quantizeEvenly } from "../helpers/quantize-evenly.js";
import { randomSource, randomWeights } from "../helpers/random.js";

const addon = loadAddon();
const codecs = formats.filter(({ codec }) => codec);

/** Rows that quantizers have trouble with; each has the magnitude `scale`. */
const nasty: Readonly<Record<string, (n: number, scale: number, seed: number) => Float32Array>> = {
  zeros: (n) => new Float32Array(n),
  "zeros of both signs": (n) => Float32Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 0 : -0)),
  denormals: (n, _, seed) => randomWeights(n, seed).map((v) => v * 1e-37),
  "one huge value": (n, scale, seed) =>
    randomWeights(n, seed).map((v, i) => (i === seed % n ? 2000 * scale : v * scale)),
  "one value": (n, scale, seed) => new Float32Array(n).fill(scale, seed % n, (seed % n) + 1),
  constants: (n, scale) => new Float32Array(n).fill(scale),
  "negative constants": (n, scale) => new Float32Array(n).fill(-scale),
  "positive values": (n, scale, seed) => randomWeights(n, seed).map((v) => Math.abs(v) * scale),
  "negative values": (n, scale, seed) => randomWeights(n, seed).map((v) => -Math.abs(v) * scale),
  "values of one magnitude": (n, scale, seed) => {
    const random = randomSource(seed);
    return Float32Array.from({ length: n }, () => (random() < 0.5 ? scale : -scale));
  },
};

function rms(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
}

function peak(values: Float32Array): number {
  return values.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
}

/**
 * How far beyond the row's largest value a decoded one may lie. IQ1's codes reach from 1/8 to 9/8: a group whose only
 * counting column got the smallest code fits its scale to that, 9 times too large for the largest code, times the
 * format's correction (1.125 or 1.1125); IQ1_M fits the block's scale once more, over scales of 1 to 15.
 */
function reach(name: FormatName, weighted: boolean): number {
  if (name === "IQ1_S") return 9 * 1.125;
  if (name === "IQ1_M") return 9 * 1.1125 * 15;
  return weighted ? 16 : 2;
}

function expectWithinLimit(name: FormatName, x: Float32Array, y: Float32Array, weighted: boolean) {
  expect(y.every(Number.isFinite)).toBe(true);
  const limit = errorLimit("F32", name, weighted)!;
  // Where no limit is sure, no value lies far beyond the others.
  expect(peak(y)).toBeLessThanOrEqual(
    reach(name, weighted) * (1 + 1e-3) * peak(x) + limit.absolute,
  );
  if (limit.usual === true) return;
  const error = rms(x.map((v, i) => v - y[i]!));
  expect(error).toBeLessThanOrEqual(limit.relative * rms(x) * (1 + 1e-6) + limit.absolute);
}

/** Columns of which the text used all, some or none. */
const importances: Readonly<Record<string, (n: number, seed: number) => Float32Array>> = {
  all: (n, seed) => randomWeights(n, seed).map((v) => v * v),
  some: (n, seed) => randomWeights(n, seed).map((v, i) => (i % 5 === seed % 5 ? v * v : 0)),
  none: (n) => new Float32Array(n),
  "of one column": (n, seed) => new Float32Array(n).fill(7, seed % n, (seed % n) + 1),
};

/** The largest scale that every type's blocks can hold: NVFP4's is 448, and 6 times that its value. */
const scales = fc.double({ min: -6, max: 0, noNaN: true }).map((exponent) => 10 ** exponent);

describe.each(codecs)("$name", ({ name, id, values: perBlock }) => {
  const n = Math.max(perBlock, 32) * 3;

  it.each(Object.keys(nasty))("keeps to its limit with %s", (kind) => {
    fc.assert(
      fc.property(scales, fc.nat(1e6), (scale, seed) => {
        const x = nasty[kind]!(n, scale, seed);
        const y = addon.dequantizeRows(id, quantizeEvenly(name, x));
        expectWithinLimit(name, x, y, false);
      }),
      { numRuns: 12 },
    );
  });

  it.each(Object.keys(importances))("keeps to it where %s columns count", (kind) => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(nasty)),
        scales,
        fc.nat(1e6),
        (row, scale, seed) => {
          const x = nasty[row]!(n, scale, seed);
          const importance = importances[kind]!(n, seed);
          const y = addon.dequantizeRows(id, addon.quantizeWeightedRows(id, x, importance));
          expectWithinLimit(name, x, y, true);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("quality", () => {
  /** Error's share of the power, for values that are normally distributed. */
  function distortion(name: FormatName): number {
    const x = randomWeights(1 << 16, 3);
    const y = addon.dequantizeRows(format(name).id, quantizeEvenly(name, x));
    return (rms(x.map((v, i) => v - y[i]!)) / rms(x)) ** 2;
  }

  it.each(codecs)("of $name is not better than its bits allow", ({ name, values, bytes }) => {
    // Rate and distortion of a Gaussian source: no code of R bits a value errs by less than 2^-2R of the power.
    const bits = (8 * bytes) / values;
    if (bits === 32) expect(distortion(name)).toBe(0);
    else expect(distortion(name)).toBeGreaterThan(2 ** (-2 * bits));
  });

  it.each(codecs)("of $name is near what its bits allow", ({ name, values, bytes }) => {
    // The best types come within 4 dB; 8-bit and wider ones, and those for special weights, keep further off.
    const special: readonly FormatName[] = ["TQ1_0", "TQ2_0", "Q1_0", "Q2_0", "F16", "BF16", "F32"];
    if (special.includes(name)) return;
    const bits = (8 * bytes) / values;
    expect(10 * Math.log10(distortion(name) * 2 ** (2 * bits))).toBeLessThan(11);
  });
});
