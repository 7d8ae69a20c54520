import { copyFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { readImportanceMatrix, writeImportanceMatrix } from "../../src/imatrix/file.js";
import type { ImportanceEntry, ImportanceMatrix } from "../../src/imatrix/types.js";
import { openSource } from "../../src/sources/open.js";
import type { BuiltTensor } from "../helpers/gguf-builder.js";
import {
  buildImatrixDat,
  buildImatrixGguf,
  f32Tensor,
  imatrixMetadata,
  importanceEntry,
  importanceMatrix,
} from "../helpers/imatrix-builder.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
let count = 0;
function stored(bytes: Uint8Array): string {
  const path = file(`matrix-${(count += 1)}`);
  writeFileSync(path, bytes);
  return path;
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Reads `path` at every length from `from` down to 0 in steps; each must fail with a typed error, but for `whole`. */
async function readCut(path: string, from: number, step: number, whole?: number): Promise<void> {
  for (let length = from; length >= 0; length -= step) {
    truncateSync(path, length);
    const error = await failure(readImportanceMatrix(path));
    if (length === whole) expect(error).toBeUndefined();
    else if (!isNibbleError(error, "ERR_FORMAT")) expect.fail(`${length} bytes: ${String(error)}`);
  }
}

const golden = sharedData("golden/imatrix/nibble-8m.gguf");
const dat = sharedData("imatrix/tinyllama-shape.imatrix.dat");

describeShared("a file of llama-imatrix", () => {
  it("is read", async () => {
    const { entries, datasets, chunks, chunkSize } = await readImportanceMatrix(golden);
    expect(datasets).toEqual(["calib.txt"]);
    expect(chunkSize).toBe(512);
    // 8 blocks of 7 matrices; the output is not collected by default.
    expect(entries).toHaveLength(56);
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    expect(byName.get("blk.0.attn_q.weight")).toMatchObject({ columns: 256, experts: 1 });
    expect(byName.get("blk.7.ffn_down.weight")).toMatchObject({ columns: 768, experts: 1 });
    expect(byName.get("blk.3.attn_q.weight")?.sumsOfSquares).toEqual(
      byName.get("blk.3.attn_k.weight")?.sumsOfSquares,
    );
    for (const { counts, sums } of entries) {
      expect([...counts]).toEqual([chunks * chunkSize]);
      expect(sums).toBeUndefined();
    }
  });

  it("is written again byte for byte", async () => {
    const matrix = await readImportanceMatrix(golden);
    const path = file("again.gguf");
    await writeImportanceMatrix(path, { ...matrix, entries: [...matrix.entries].reverse() });
    const [ours, theirs] = [await openSource(path), await openSource(golden)];
    expect(ours.metadata).toEqual(theirs.metadata);
    const table = ({ tensors }: typeof ours) =>
      tensors.map(({ name, type, shape }) => [name, type, ...shape]);
    expect(table(ours)).toEqual(table(theirs));
    expect(readFileSync(path).equals(readFileSync(golden))).toBe(true);
  });

  it("cut anywhere is refused", async () => {
    const path = file("cut.gguf");
    copyFileSync(golden, path);
    await readCut(path, 82_368, 64);
  });
});

describeShared("a legacy .dat of others", () => {
  it("is read", async () => {
    const matrix = await readImportanceMatrix(dat);
    expect(matrix).toMatchObject({ chunks: 365, chunkSize: 512 });
    expect(matrix.datasets).toEqual(["imatrix-training-full-3"]);
    // 22 blocks of 7 matrices.
    expect(matrix.entries).toHaveLength(154);
    for (const { name, columns, experts, counts } of matrix.entries) {
      expect([columns, experts]).toEqual([name.includes("ffn_down") ? 5632 : 2048, 1]);
      expect([...counts]).toEqual([365 * 512]);
    }
    const path = file("from-dat.gguf");
    await writeImportanceMatrix(path, matrix);
    const again = await readImportanceMatrix(path);
    expect(sorted(again)).toEqual(sorted(matrix));
  });

  it("cut anywhere is refused", async () => {
    const path = file("cut.dat");
    copyFileSync(dat, path);
    // Not at every 64th byte: each of these reads takes in what is left of 1.5 MB.
    await readCut(path, 1_582_000, 64 * 401);
  });
});

function sorted(matrix: ImportanceMatrix): ImportanceMatrix {
  const byName = (a: ImportanceEntry, b: ImportanceEntry): number => (a.name < b.name ? -1 : 1);
  return { ...matrix, entries: [...matrix.entries].sort(byName) };
}

const plain = importanceEntry("blk.0.attn_q.weight", [[1, 0, 0.25, 1e-30]], [512]);
const experts = importanceEntry(
  "blk.0.ffn_up_exps.weight",
  [
    [4, 9],
    [0, 0],
    [1, 2],
  ],
  [3, 0, 1],
  [
    [-2, 3],
    [0, 0],
    [1, -1],
  ],
);
const matrix = importanceMatrix([plain, experts], { datasets: ["a.txt", "ü b.txt"] });

describe("writing and reading", () => {
  it("gives the same matrix, with experts and with sums", async () => {
    const path = file("round/trip.gguf");
    await writeImportanceMatrix(path, matrix);
    expect(await readImportanceMatrix(path)).toEqual(matrix);
    expect(readdirSync(file("round"))).toEqual(["trip.gguf"]);
    const { tensors } = await openSource(path);
    expect(tensors.map(({ name, type, shape }) => [name, type, ...shape])).toEqual([
      ["blk.0.attn_q.weight.in_sum2", "F32", 4],
      ["blk.0.attn_q.weight.counts", "F32", 1],
      ["blk.0.ffn_up_exps.weight.in_sum2", "F32", 2, 3],
      ["blk.0.ffn_up_exps.weight.counts", "F32", 1, 3],
      ["blk.0.ffn_up_exps.weight.in_sum", "F32", 2, 3],
    ]);
  });

  it("does the same without any data set", async () => {
    const path = file("no-text.gguf");
    await writeImportanceMatrix(path, { ...matrix, datasets: [] });
    expect((await readImportanceMatrix(path)).datasets).toEqual([]);
  });

  it("replaces a file only where that is asked for", async () => {
    const path = stored(Buffer.from("precious"));
    const error = await failure(writeImportanceMatrix(path, matrix));
    expect(isNibbleError(error, "ERR_ARGUMENT")).toBe(true);
    expect(readFileSync(path, "utf8")).toBe("precious");
    await writeImportanceMatrix(path, matrix, { overwrite: true });
    expect(await readImportanceMatrix(path)).toEqual(matrix);
  });

  it("gives a name to one of two that write at once", async () => {
    const path = file("race/matrix.gguf");
    const results = await Promise.allSettled(
      [1, 2, 3].map((chunks) => writeImportanceMatrix(path, { ...matrix, chunks })),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(readdirSync(file("race"))).toEqual(["matrix.gguf"]);
    expect((await readImportanceMatrix(path)).entries).toEqual(matrix.entries);
  });

  const bad: readonly (readonly [string, ImportanceMatrix])[] = [
    ["no entry", { ...matrix, entries: [] }],
    ["a name twice", { ...matrix, entries: [plain, plain] }],
    ["a name too long for GGUF", { ...matrix, entries: [{ ...plain, name: "n".repeat(56) }] }],
    ["NaN", { ...matrix, entries: [importanceEntry("a", [[NaN]])] }],
    ["a square below 0", { ...matrix, entries: [importanceEntry("a", [[-1]])] }],
    ["sums without rows", { ...matrix, entries: [importanceEntry("a", [[1]], [0])] }],
    ["too few counts", { ...matrix, entries: [importanceEntry("a", [[1], [1]], [1])] }],
    ["half a chunk", { ...matrix, chunks: 0.5 }],
    ["chunks beyond 32 bits", { ...matrix, chunks: 2 ** 32 }],
  ];
  it.each(bad)("writes no matrix with %s", async (_what, wrong) => {
    const path = file("wrong.gguf");
    const error = await failure(writeImportanceMatrix(path, wrong));
    expect(isNibbleError(error, "ERR_ARGUMENT")).toBe(true);
    expect(readdirSync(file("."))).not.toContain("wrong.gguf");
  });

  it("stops when it is told to", async () => {
    const reason = new DOMException("stopped", "AbortError");
    const path = file("stopped.gguf");
    await writeImportanceMatrix(path, matrix);
    const signal = AbortSignal.abort(reason);
    expect(await failure(readImportanceMatrix(path, { signal }))).toBe(reason);
  });
});

describe("the legacy .dat", () => {
  const entries = [
    { name: "blk.0.attn_q.weight", calls: 4, values: [8, 0, 2] },
    { name: "blk.0.ffn_down.weight", calls: 2, values: [1] },
  ];
  const tail = { chunks: 4, dataset: "wiki.txt" };

  it("gives means, rows and the name of the text", async () => {
    const path = stored(buildImatrixDat(entries, tail));
    const { entries: read, ...rest } = await readImportanceMatrix(path, { chunkSize: 128 });
    expect(rest).toEqual({ chunks: 4, chunkSize: 128, datasets: ["wiki.txt"] });
    expect(read).toEqual([
      importanceEntry("blk.0.attn_q.weight", [[8 * 128, 0, 2 * 128]], [4 * 128]),
      importanceEntry("blk.0.ffn_down.weight", [[128]], [2 * 128]),
    ]);
  });

  it("may end after its entries, and hold means of no calls", async () => {
    const old = [...entries, { name: "output.weight", calls: 0, values: [3, 5] }];
    const { entries: read, ...rest } = await readImportanceMatrix(stored(buildImatrixDat(old)));
    expect(rest).toEqual({ chunks: 4, chunkSize: 512, datasets: [] });
    expect(read[2]).toEqual(importanceEntry("output.weight", [[3 * 512, 5 * 512]], [512]));
  });

  it("cut anywhere else is refused", async () => {
    const whole = buildImatrixDat(entries, tail);
    await readCut(stored(whole), whole.length - 1, 1, buildImatrixDat(entries).length);
  });

  const bad: readonly (readonly [string, RegExp, Uint8Array])[] = [
    ["nothing in it", /neither begins with GGUF/, new Uint8Array()],
    ["no entry", /neither begins with GGUF/, buildImatrixDat([])],
    ["text", /neither begins with GGUF/, Buffer.from("this is no importance matrix")],
    ["a name twice", /twice/, buildImatrixDat([...entries, ...entries])],
    [
      "an empty name",
      /length of the name/,
      buildImatrixDat([{ name: "", calls: 1, values: [1, 2] }]),
    ],
    ["a long name", /64/, buildImatrixDat([{ name: "n".repeat(64), calls: 1, values: [1] }])],
    ["calls below 0", /is -1/, buildImatrixDat([{ name: "a", calls: -1, values: [1] }])],
    ["no values", /is 0/, buildImatrixDat([{ name: "a", calls: 1, values: [1], length: 0 }])],
    [
      "more values than bytes",
      /ends/,
      buildImatrixDat([{ name: "a", calls: 1, values: [1], length: 1e8 }]),
    ],
    ["NaN", /NaN/, buildImatrixDat([{ name: "a", calls: 1, values: [1, NaN] }])],
    ["a value below 0", /-512/, buildImatrixDat([{ name: "a", calls: 1, values: [-1] }])],
    ["infinity by rows", /Infinity/, buildImatrixDat([{ name: "a", calls: 1, values: [3e38] }])],
    [
      "bytes behind it",
      /goes on/,
      Buffer.concat([buildImatrixDat(entries, tail), Buffer.from("x")]),
    ],
  ];
  it.each(bad)("with %s is refused", async (_what, says, bytes) => {
    await expectRefused(bytes, "ERR_FORMAT", says);
  });

  it.each([0, -1, 1.5, NaN, 2 ** 31])("knows no chunk of %d tokens", async (chunkSize) => {
    const error = await failure(readImportanceMatrix(stored(new Uint8Array()), { chunkSize }));
    expect(isNibbleError(error, "ERR_ARGUMENT")).toBe(true);
  });
});

async function expectRefused(bytes: Uint8Array, code: NibbleErrorCode, says: RegExp) {
  const error = await failure(readImportanceMatrix(stored(bytes)));
  expect(isNibbleError(error, code) ? code : error).toBe(code);
  expect(String(error)).toMatch(says);
}

const squares = f32Tensor("a.in_sum2", [2, 2], [1, 2, 3, 4]);
const counts = f32Tensor("a.counts", [1, 2], [5, 6]);
const without = (key: string) => imatrixMetadata.filter((entry) => entry.key !== key);
const replaced = (key: string, type: string, value: unknown) => [
  ...without(key),
  { key, type, value, elementType: "u32" },
];

describe("a GGUF", () => {
  it("is read in any order, with the tensors of others passed over", async () => {
    const tensors = [counts, f32Tensor("a.in_sum4", [2], [1, NaN]), squares];
    const read = await readImportanceMatrix(stored(buildImatrixGguf(tensors)));
    expect(read).toEqual({
      entries: [
        importanceEntry(
          "a",
          [
            [1, 2],
            [3, 4],
          ],
          [5, 6],
        ),
      ],
      chunks: 7,
      chunkSize: 128,
      datasets: ["a.txt"],
    });
  });

  const tensors: readonly (readonly [string, RegExp, readonly BuiltTensor[]])[] = [
    ["no tensor", /0 entries/, []],
    ["none of an importance matrix", /0 entries/, [f32Tensor("a.weight", [1], [1])]],
    ["sums without counts", /a\.counts: is missing/, [squares]],
    ["counts without sums", /a\.in_sum2: is missing/, [counts]],
    ["means alone", /a\.counts: is missing/, [f32Tensor("a.in_sum", [2, 2], [1, 2, 3, 4])]],
    ["a tensor twice", /twice/, [squares, counts, squares]],
    ["no name", /name/, [f32Tensor(".in_sum2", [1], [1]), f32Tensor(".counts", [1], [1])]],
    [
      "a count below 0",
      /count of expert 1 is -6/,
      [squares, f32Tensor("a.counts", [1, 2], [5, -6])],
    ],
    ["NaN counts", /is NaN/, [squares, f32Tensor("a.counts", [1, 2], [NaN, 1])]],
    ["endless counts", /Infinity/, [squares, f32Tensor("a.counts", [1, 2], [1, Infinity])]],
    ["a row too few", /2 x 2 is not/, [squares, f32Tensor("a.counts", [1, 3], [1, 2, 3])]],
    ["a count of 0 where sums are", /is 0/, [squares, f32Tensor("a.counts", [1, 2], [5, 0])]],
    ["a square below 0", /-3/, [f32Tensor("a.in_sum2", [2, 2], [1, 2, -3, 4]), counts]],
    ["a NaN square", /NaN/, [f32Tensor("a.in_sum2", [2, 2], [1, 2, NaN, 4]), counts]],
    [
      "sums of another shape",
      /4 is not/,
      [squares, counts, f32Tensor("a.in_sum", [4], [1, 2, 3, 4])],
    ],
    ["NaN sums", /NaN/, [squares, counts, f32Tensor("a.in_sum", [2, 2], [1, 2, 3, NaN])]],
    ["F16", /F16, not F32/, [squares, { name: "a.counts", type: "F16", shape: [1, 2] }]],
  ];
  it.each(tensors)("with %s is refused", async (_what, says, built) => {
    await expectRefused(buildImatrixGguf(built), "ERR_FORMAT", says);
  });

  const metadata = [
    ["no type", /no importance matrix/, without("general.type")],
    ["a model's type", /no importance matrix/, replaced("general.type", "string", "model")],
    ["a type that is a number", /no importance matrix/, replaced("general.type", "u32", 1)],
    ["no chunks", /chunk_count/, without("imatrix.chunk_count")],
    ["chunks below 0", /chunk_count/, replaced("imatrix.chunk_count", "i32", -1)],
    ["half a token", /chunk_size/, replaced("imatrix.chunk_size", "f32", 0.5)],
    ["numbers for texts", /datasets/, replaced("imatrix.datasets", "array", [1])],
    ["no texts", /datasets/, without("imatrix.datasets")],
  ] as const;
  it.each(metadata)("with %s is refused", async (_what, says, entries) => {
    await expectRefused(buildImatrixGguf([squares, counts], entries), "ERR_FORMAT", says);
  });

  it("with any byte changed is read or refused, never worse", async () => {
    const whole = Buffer.from(buildImatrixGguf([squares, counts]));
    const path = stored(whole);
    for (let at = 0; at < whole.length; at += 1) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, bytes);
      const error = await failure(readImportanceMatrix(path));
      if (error !== undefined && !isNibbleError(error)) throw error;
    }
  });

  it("that is a folder, or not there, is an error that says so", async () => {
    const folder = await failure(readImportanceMatrix(file(".")));
    expect(isNibbleError(folder, "ERR_ARGUMENT") || isNibbleError(folder, "ERR_IO")).toBe(true);
    const absent = await failure(readImportanceMatrix(file("absent.gguf")));
    expect(isNibbleError(absent, "ERR_IO")).toBe(true);
  });
});
