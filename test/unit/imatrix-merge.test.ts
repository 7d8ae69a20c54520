import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { readImportanceMatrix } from "../../src/imatrix/file.js";
import { mergeImportanceMatrices } from "../../src/imatrix/merge.js";
import { importanceEntry, importanceMatrix } from "../helpers/imatrix-builder.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";

const q = (squares: number[], count: number) => importanceEntry("q", [squares], [count]);

function failure(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("merging", () => {
  it("adds sums of squares and counts, so that every row counts the same", () => {
    const a = importanceMatrix([q([1, 2], 1)], { datasets: ["a"], chunks: 1 });
    const b = importanceMatrix([q([10, 0], 3)], { datasets: ["b", "a"], chunks: 3 });
    expect(mergeImportanceMatrices([a, b])).toEqual({
      entries: [q([11, 2], 4)],
      chunks: 4,
      chunkSize: 512,
      datasets: ["a", "b"],
    });
  });

  it("keeps what only one has, and experts apart", () => {
    const experts = (first: number, second: number) =>
      importanceEntry("e", [[first], [second]], [first > 0 ? 1 : 0, second > 0 ? 2 : 0]);
    const a = importanceMatrix([experts(4, 0), q([1, 2], 1)]);
    const b = importanceMatrix([experts(5, 6)]);
    const { entries } = mergeImportanceMatrices([a, b]);
    expect(entries).toEqual([importanceEntry("e", [[9], [6]], [2, 2]), q([1, 2], 1)]);
  });

  it("keeps sums only where all have them", () => {
    const withSums = (name: string) => importanceEntry(name, [[4]], [1], [[-2]]);
    const a = importanceMatrix([withSums("both"), withSums("one")]);
    const b = importanceMatrix([withSums("both"), importanceEntry("one", [[4]], [1])]);
    const [both, one] = mergeImportanceMatrices([a, b]).entries;
    expect(both?.sums).toEqual(Float32Array.of(-4));
    expect(one?.sums).toBeUndefined();
    expect(one?.sumsOfSquares).toEqual(Float32Array.of(8));
  });

  it("takes the mean of chunk sizes, by chunks", () => {
    const a = importanceMatrix([q([1], 1)], { chunks: 1, chunkSize: 100 });
    const b = importanceMatrix([q([1], 1)], { chunks: 3, chunkSize: 200 });
    expect(mergeImportanceMatrices([a, b])).toMatchObject({ chunks: 4, chunkSize: 175 });
    const none = importanceMatrix([q([1], 1)], { chunks: 0, chunkSize: 100 });
    expect(mergeImportanceMatrices([none, none])).toMatchObject({ chunks: 0, chunkSize: 100 });
  });

  it("rounds once, whatever the order", () => {
    // In F32 alone, 2^24 + 1 + 1 would stay 2^24 in one order and not in the other.
    const values = [2 ** 24, 1, 1].map((value) => importanceMatrix([q([value], 1)]));
    const forth = mergeImportanceMatrices(values).entries;
    expect(forth).toEqual([q([2 ** 24 + 2], 3)]);
    expect(mergeImportanceMatrices([...values].reverse()).entries).toEqual(forth);
  });

  it("refuses nothing, matrices of two models, and sums beyond F32", () => {
    expect(
      isNibbleError(
        failure(() => mergeImportanceMatrices([])),
        "ERR_ARGUMENT",
      ),
    ).toBe(true);
    const narrow = importanceMatrix([q([1], 1)]);
    const wide = importanceMatrix([q([1, 2], 1)]);
    const shapes = failure(() => mergeImportanceMatrices([narrow, wide]));
    expect(isNibbleError(shapes, "ERR_PLAN")).toBe(true);
    expect(String(shapes)).toMatch(/q: has 1 x 1 columns in one .* and 1 x 2 in another/);
    const huge = importanceMatrix([q([3e38], 1)]);
    const sum = failure(() => mergeImportanceMatrices([huge, huge]));
    expect(isNibbleError(sum, "ERR_PLAN")).toBe(true);
    expect(String(sum)).toMatch(/Infinity/);
  });
});

describeShared("merging real files", () => {
  it("of one file twice gives twice the sums and the same means", async () => {
    const matrix = await readImportanceMatrix(sharedData("golden/imatrix/nibble-8m.gguf"));
    const merged = mergeImportanceMatrices([matrix, matrix]);
    expect(merged.chunks).toBe(2 * matrix.chunks);
    expect(merged.datasets).toEqual(matrix.datasets);
    for (const [i, entry] of matrix.entries.entries()) {
      const twice = entry.sumsOfSquares.map((sum) => 2 * sum);
      expect(merged.entries[i]?.sumsOfSquares).toEqual(twice);
      expect(merged.entries[i]?.counts).toEqual(entry.counts.map((count) => 2 * count));
    }
  });

  it("of two models is refused", async () => {
    const small = await readImportanceMatrix(sharedData("golden/imatrix/nibble-8m.gguf"));
    const large = await readImportanceMatrix(sharedData("imatrix/tinyllama-shape.imatrix.dat"));
    const error = failure(() => mergeImportanceMatrices([small, large]));
    expect(isNibbleError(error, "ERR_PLAN")).toBe(true);
  });
});
