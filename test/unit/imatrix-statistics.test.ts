import { describe, expect, it } from "vitest";
import { readImportanceMatrix } from "../../src/imatrix/file.js";
import {
  importanceMeans,
  importanceStatistics,
  importanceWarnings,
} from "../../src/imatrix/statistics.js";
import type { ImportanceEntry } from "../../src/imatrix/types.js";
import { importanceEntry, importanceMatrix } from "../helpers/imatrix-builder.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";

const statisticsOf = (...entries: ImportanceEntry[]) =>
  importanceStatistics(importanceMatrix(entries));
const warningsOf = (entry: ImportanceEntry) => importanceWarnings(importanceMatrix([entry]));

const routed = importanceEntry(
  "blk.0.ffn_up_exps.weight",
  [
    [2, 0],
    [0, 0],
    [6, 12],
  ],
  [2, 0, 6],
);

describe("means", () => {
  it("are per expert, 0 for those without rows", () => {
    const { values, expertsWithoutData } = importanceMeans(routed);
    expect([...values]).toEqual([1, 0, 0, 0, 1, 2]);
    expect(expertsWithoutData).toEqual([1]);
  });
});

describe("statistics", () => {
  it("are over the columns of the experts that saw a row", () => {
    // Means 1, 0, 1, 2.
    const [row] = statisticsOf(routed);
    expect(row).toMatchObject({ columns: 2, experts: 3, rows: 8 });
    expect(row).toMatchObject({ mean: 1, minimum: 0, maximum: 2, deviation: Math.SQRT1_2 });
    // Shares 1/4, 0, 1/4, 1/2.
    expect(row).toMatchObject({ entropy: 1.5, relativeEntropy: 0.75, outliers: 0.5 });
    expect(row).toMatchObject({ unreachedExperts: 1, unreachedColumns: 1 });
  });

  it("of equal columns have the greatest entropy", () => {
    const [row] = statisticsOf(importanceEntry("a", [new Array<number>(8).fill(6)]));
    expect(row).toMatchObject({ entropy: 3, relativeEntropy: 1, deviation: 0, outliers: 0 });
  });

  it("are finite of nothing, of zeros and of one column", () => {
    const nothing = importanceEntry("a", [[0, 0]], [0]);
    const zeros = importanceEntry("b", [[0, 0]], [9]);
    const one = importanceEntry("c", [[5]], [2]);
    const rows = statisticsOf(nothing, zeros, one);
    for (const row of rows) {
      for (const value of Object.values(row)) {
        if (typeof value === "number") expect(value).toSatisfy(Number.isFinite);
      }
    }
    expect(rows[0]).toMatchObject({ rows: 0, minimum: 0, unreachedExperts: 1 });
    expect(rows[1]).toMatchObject({ rows: 9, unreachedExperts: 0, unreachedColumns: 2 });
    expect(rows[2]).toMatchObject({ mean: 2.5, relativeEntropy: 1 });
  });

  it("compare a tensor with the same one in the block before", () => {
    const q = (block: number, squares: number[]) =>
      importanceEntry(`blk.${block}.attn_q.weight`, [squares]);
    const rows = statisticsOf(q(9, [1, 0]), q(10, [2, 0]), q(11, [0, 3]), q(12, [1, 2, 3]));
    expect(rows.map(({ cosineToPrevious }) => cosineToPrevious)).toEqual([
      undefined,
      1,
      0,
      undefined,
    ]);
  });
});

describe("warnings", () => {
  it("name what was never reached", () => {
    expect(warningsOf(importanceEntry("a", [[1, 2]]))).toEqual([]);
    expect(warningsOf(importanceEntry("a", [[0, 0]], [0]))).toMatchObject([
      { kind: "tensor", message: expect.stringMatching(/^a: was never reached/) as string },
    ]);
    expect(warningsOf(routed)).toMatchObject([
      { kind: "experts", missing: 1, of: 3 },
      { kind: "columns", missing: 1, of: 4 },
    ]);
  });

  it("name the first experts of many", () => {
    const rows = Array.from({ length: 64 }, (_, expert) => [expert === 0 ? 1 : 0]);
    const counts = rows.map(([square = 0]) => square);
    const [warning] = warningsOf(importanceEntry("a", rows, counts));
    expect(warning?.message).toMatch(/^a: 63 of 64 .* \(1, 2, 3, 4, 5, 6, 7, 8, \.\.\.\)/);
  });
});

describeShared("statistics of real files", () => {
  it.each(["golden/imatrix/nibble-8m.gguf", "imatrix/tinyllama-shape.imatrix.dat"])(
    "%s",
    async (name) => {
      const matrix = await readImportanceMatrix(sharedData(name));
      const rows = importanceStatistics(matrix);
      expect(importanceWarnings(matrix)).toEqual([]);
      for (const row of rows) {
        expect(row.minimum).toBeGreaterThan(0);
        expect(row.mean).toBeGreaterThan(row.minimum);
        expect(row.maximum).toBeGreaterThan(row.mean);
        expect(row.relativeEntropy).toBeGreaterThan(0.1);
        expect(row.relativeEntropy).toBeLessThanOrEqual(1);
        expect(row.outliers).toBeLessThan(0.5);
        const isFirst = row.name.startsWith("blk.0.");
        expect(row.cosineToPrevious === undefined).toBe(isFirst);
      }
    },
  );
});
