import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { format, formats, type FormatName } from "../../src/formats.js";
import { loadAddon, machine } from "../../src/native/load.js";
import { errorLimit } from "../../src/quantize/error-limits.js";
import { needImportance, quantizeEvenly } from "../helpers/quantize-evenly.js";
import { randomWeights } from "../helpers/random.js";

const addon = loadAddon();
const codecs = formats.filter(({ codec }) => codec);

describe("the tables of tensor types", () => {
  it("are the same in TypeScript and C++", () => {
    expect(addon.formats()).toEqual(formats);
  });

  it("have ids that no other row has, in order", () => {
    const ids = formats.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  });
});

// The largest magnitude, where a type has one that weights could have: larger ones are cut.
const largest: Partial<Record<FormatName, number>> = { NVFP4: 6 * 448 };

describe.each(codecs)("$name", ({ name, id, values }) => {
  const others = machine().isas.filter((isa) => isa !== "generic");

  it.each(others)("gives the reference's bytes and values on %s, for any floats", (isa) => {
    const float = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, -0, 1e-45, -1e-42),
    );
    const rows = fc.array(float, { minLength: values, maxLength: values });
    fc.assert(
      fc.property(fc.array(rows, { minLength: 1, maxLength: 3 }), (blocks) => {
        const x = Float32Array.from(blocks.flat());
        const reference = quantizeEvenly(name, x);
        if (!needImportance.has(name)) {
          expect(addon.quantizeRows(id, x, "generic")).toEqual(reference);
          expect(addon.quantizeRows(id, x, isa)).toEqual(reference);
        }
        const back = addon.dequantizeRows(id, reference, "generic");
        expect(addon.dequantizeRows(id, reference, isa)).toEqual(back);
      }),
      { numRuns: 60 },
    );
  });

  it("stays within its error limit, and zeros stay zeros", () => {
    const limit = errorLimit("F32", name)!;
    for (const scale of [1e-30, 1e-9, 1e-4, 1, 1000]) {
      const x = randomWeights(values * 64, 5).map((v) => v * 50 * scale);
      x[3] = 30 * scale;
      if (x[3] > (largest[name] ?? Infinity)) continue;
      const y = addon.dequantizeRows(id, quantizeEvenly(name, x));
      const squares = x.reduce((sum, v) => sum + v * v, 0);
      const errors = x.reduce((sum, v, i) => sum + (v - y[i]!) ** 2, 0);
      const rmse = Math.sqrt(errors / x.length);
      expect(rmse).toBeLessThanOrEqual(
        limit.relative * Math.sqrt(squares / x.length) + limit.absolute,
      );
    }
    const zeros = addon.dequantizeRows(id, quantizeEvenly(name, new Float32Array(values)));
    expect(zeros.every((v) => v === 0)).toBe(true);
  });
});

describe("the border", () => {
  it("refuses what only a bug would pass, with a TypeError", () => {
    expect(() => addon.quantizeRows(9999, new Float32Array(32))).toThrow(TypeError);
    expect(() => addon.quantizeRows(2, new Float32Array(31))).toThrow(TypeError);
    expect(() => addon.quantizeRows(2, new Uint8Array(32) as never)).toThrow(TypeError);
    expect(() => addon.dequantizeRows(2, new Uint8Array(17))).toThrow(TypeError);
    for (const name of needImportance)
      expect(() => addon.quantizeRows(format(name).id, new Float32Array(256))).toThrow(TypeError);
    expect(() => addon.quantizeRows(24, new Float32Array(256))).toThrow(TypeError);
    expect(() => addon.quantizeRows(2, new Float32Array(32), "avx9000")).toThrow(TypeError);
    expect(() => addon.quantizeStream({} as never)).toThrow(TypeError);
    const options = { inputs: [{ path: "a", bytes: 1 }], output: "b", threads: 1 };
    const task = {
      name: "t",
      pieces: [{ file: 0, offset: 0, bytes: 4 }],
      ...{ stored: 0, from: 0, to: 2, perRow: 1, rows: 1 },
      ...{ headDim: 0, transposed: false, plusOne: false },
      outputOffset: 0,
    };
    expect(() => addon.quantizeStream({ ...options, tasks: [task] })).toThrow(TypeError);
  });
});
