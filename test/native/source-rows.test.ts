import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { format, type FormatName } from "../../src/formats.js";
import { loadAddon } from "../../src/native/load.js";
import type { TensorInfo, TensorTransform } from "../../src/sources/model-info.js";
import { randomWeights } from "../helpers/random.js";
import { readValues, writtenTensor } from "../helpers/source-tensor.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const addon = loadAddon();

function bytesAs(type: FormatName, values: Float32Array): Uint8Array {
  return addon.quantizeRows(format(type).id, values);
}

function rounded(type: FormatName, values: Float32Array): Float32Array {
  return addon.dequantizeRows(format(type).id, bytesAs(type, values));
}

let written = 0;

/** A file with each part of a tensor somewhere in it, in another order than the tensor's. */
function tensorOf(
  parts: readonly Uint8Array[],
  rest: Pick<TensorInfo, "type" | "shape" | "transform">,
): { tensor: TensorInfo; files: { path: string; bytes: number }[] } {
  const path = file(`parts-${(written += 1)}`);
  const places: { file: number; offset: number; bytes: number }[] = [];
  let end = 3;
  for (const [i, part] of [...parts.entries()].reverse()) {
    places[i] = { file: 0, offset: end, bytes: part.length };
    end += part.length + 5;
  }
  const whole = Buffer.alloc(end, 0xee);
  places.forEach(({ offset }, i) => whole.set(parts[i]!, offset));
  writeFileSync(path, whole);
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const tensor = { name: "t", bytes, pieces: places, ...rest };
  return { tensor, files: [{ path, bytes: whole.length }] };
}

const interleave = (headDim: number): TensorTransform => ({ kind: "interleave-halves", headDim });

/** The formula that model-info.ts states. */
function expected(
  values: Float32Array,
  perRow: number,
  transform: TensorTransform | undefined,
): Float32Array {
  const rows = values.length / perRow;
  return Float32Array.from(values, (_, at) => {
    const [row, column] = [Math.floor(at / perRow), at % perRow];
    if (transform?.kind === "transpose") return values[column * rows + row]!;
    if (transform?.kind === "add-one") return values[at]! + 1;
    if (transform === undefined) return values[at]!;
    const { headDim } = transform;
    const within = row % headDim;
    const source = row - within + Math.floor(within / 2) + (within % 2) * (headDim / 2);
    return values[source * perRow + column]!;
  });
}

/** Cuts values into pieces of so many rows. */
function cut(values: Float32Array, perRow: number, rows: readonly number[]): Float32Array[] {
  let at = 0;
  return rows.map((count) => values.slice(at * perRow, (at += count) * perRow));
}

const every = ["F32", "F16", "BF16"] as const;
type Transforms = readonly (TensorTransform | undefined)[];
const transposed: Transforms = [{ kind: "transpose" }];
/** Values per row, rows, types, and what to do with them. */
const cases: readonly (readonly [number, number, readonly FormatName[], Transforms?])[] = [
  [1, 1, every],
  [7, 3, every],
  [33, 130, every],
  // More than one tile, of rows that a tile does not hold a whole number of.
  [700, 390, ["F16"]],
  // More than one panel.
  [1000, 1100, ["F32"], transposed],
  // Rows that are longer than a tile.
  [300_000, 1, ["BF16"]],
  [530_000, 2, ["F16"], transposed],
];

function allTransforms(rows: number): Transforms {
  const dims = [2, 6, 130, 390].filter((dim) => rows % dim === 0);
  return [undefined, ...transposed, { kind: "add-one" }, ...dims.map(interleave)];
}

describe("source rows", () => {
  for (const [perRow, rows, types, transforms = allTransforms(rows)] of cases) {
    const values = randomWeights(perRow * rows, perRow + rows);
    for (const transform of transforms) {
      it(`${rows} x ${perRow}, ${transform ? JSON.stringify(transform) : "as they are"}`, async () => {
        for (const type of types) {
          const { tensor, files } = tensorOf([bytesAs(type, values)], {
            ...{ type, shape: [perRow, rows] },
            ...(transform && { transform }),
          });
          const wanted = expected(rounded(type, values), perRow, transform);
          expect(
            Buffer.from((await readValues(files, tensor)).buffer).equals(
              Buffer.from(wanted.buffer),
            ),
          ).toBe(true);
          // A copy has the bytes of the values in their own type.
          const { bytes, stats } = await writtenTensor(files, tensor, type);
          expect(bytes.equals(bytesAs(type, wanted))).toBe(true);
          if (transform?.kind !== "add-one") expect(stats.maxAbsError).toBe(0);
        }
      });
    }
  }

  it("joins pieces before rows are permuted", async () => {
    const [perRow, rows] = [64, 24];
    const values = randomWeights(perRow * rows, 1);
    const parts = cut(values, perRow, [1, 10, 2, 11]).map((part) => bytesAs("F16", part));
    const transform = interleave(8);
    const { tensor, files } = tensorOf(parts, { type: "F16", shape: [perRow, 8, 3], transform });
    const wanted = expected(rounded("F16", values), perRow, transform);
    expect(await readValues(files, tensor)).toEqual(wanted);
  });

  it("joins the parts of a vector", async () => {
    const values = randomWeights(300_000, 1);
    const parts = cut(values, 1, [1, 9, 99_990, 200_000]).map((part) => bytesAs("BF16", part));
    const { tensor, files } = tensorOf(parts, { type: "BF16", shape: [300_000] });
    expect(await readValues(files, tensor)).toEqual(rounded("BF16", values));
    const plusOne = { ...tensor, transform: { kind: "add-one" } } as const;
    const wanted = rounded("BF16", values).map((value) => value + 1);
    expect(await readValues(files, plusOne)).toEqual(wanted);
  });

  it("turns every piece of a stack by itself", async () => {
    const [perRow, rows] = [10, 6];
    const matrices = [1, 2, 3].map((seed) => randomWeights(perRow * rows, seed));
    const { tensor, files } = tensorOf(
      matrices.map((values) => bytesAs("F32", values)),
      { type: "F32", shape: [perRow, rows, 3], transform: { kind: "transpose" } },
    );
    const wanted = matrices.flatMap((values) => [
      ...expected(values, perRow, { kind: "transpose" }),
    ]);
    expect([...(await readValues(files, tensor))]).toEqual(wanted);
  });

  it("permutes rows of blocks", async () => {
    const [perRow, rows] = [256, 12];
    const blocks = bytesAs("Q6_K", randomWeights(perRow * rows, 9));
    const { tensor, files } = tensorOf([blocks], {
      ...{ type: "Q6_K", shape: [perRow, rows], transform: interleave(12) },
    });
    const { bytes, stats } = await writtenTensor(files, tensor, "Q6_K");
    const row = (i: number) => blocks.subarray(i * 210, (i + 1) * 210);
    const order = [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11];
    expect(bytes.equals(Buffer.concat(order.map(row)))).toBe(true);
    expect(stats.maxAbsError).toBe(0);
  });

  it("quantizes a transposed matrix to what its transpose gives", async () => {
    const [perRow, rows] = [512, 700];
    const values = randomWeights(perRow * rows, 4);
    const turned = expected(values, perRow, { kind: "transpose" });
    const importance = randomWeights(perRow, 5).map(Math.abs);
    const { tensor, files } = tensorOf([bytesAs("F32", values)], {
      ...{ type: "F32", shape: [perRow, rows], transform: { kind: "transpose" } },
    });
    const id = (type: FormatName) => format(type).id;
    for (const type of ["Q4_0", "Q4_K", "Q8_0"] as const) {
      const { bytes } = await writtenTensor(files, tensor, type);
      expect(bytes.equals(addon.quantizeRows(id(type), turned))).toBe(true);
    }
    const { bytes } = await writtenTensor(files, tensor, "Q4_K", importance);
    expect(bytes.equals(addon.quantizeWeightedRows(id("Q4_K"), turned, importance))).toBe(true);
  });

  it("writes values that no file holds", async () => {
    const values = randomWeights(96, 3);
    const tensor: TensorInfo = {
      ...{ name: "rope_freqs.weight", type: "F32", shape: [96], bytes: 384 },
      ...{ pieces: [], values },
    };
    expect(await readValues([], tensor)).toEqual(values);
    const { bytes, stats } = await writtenTensor([], tensor, "Q8_0");
    expect(bytes.equals(bytesAs("Q8_0", values))).toBe(true);
    expect(stats.sumSquares).toBeGreaterThan(0);
  });

  it("says where a transposed matrix has a value that is none", async () => {
    const values = randomWeights(50 * 40, 3);
    values[7 * 40 + 30] = NaN;
    const { tensor, files } = tensorOf([bytesAs("F32", values)], {
      ...{ type: "F32", shape: [50, 40], transform: { kind: "transpose" } },
    });
    await expect(readValues(files, tensor)).rejects.toThrow(
      "t: the value in row 30, column 7 is NaN",
    );
  });
});
