import { gguf } from "@huggingface/gguf";
import fc from "fast-check";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { readGguf } from "../../src/sources/gguf.js";
import type { ModelInfo } from "../../src/sources/model-info.js";
import { buildGguf, type BuiltEntry, type BuiltFile } from "../helpers/gguf-builder.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

function read(bytes: Uint8Array): Promise<ModelInfo> {
  const path = file("model.gguf");
  writeFileSync(path, bytes);
  return readGguf(path);
}

async function failure(bytes: Uint8Array): Promise<unknown> {
  return read(bytes).then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** One of every type, arrays of every type, tensors of several shapes. */
const scalars: readonly BuiltEntry[] = [
  { key: "a.u8", type: "u8", value: 255 },
  { key: "a.i8", type: "i8", value: -128 },
  { key: "a.u16", type: "u16", value: 65535 },
  { key: "a.i16", type: "i16", value: -32768 },
  { key: "a.u32", type: "u32", value: 4294967295 },
  { key: "a.i32", type: "i32", value: -2147483648 },
  { key: "a.f32", type: "f32", value: 0.5 },
  { key: "a.bool", type: "bool", value: true },
  { key: "a.string", type: "string", value: "Grüße, 世界" },
  { key: "a.u64", type: "u64", value: 18446744073709551615n },
  { key: "a.i64", type: "i64", value: -9223372036854775808n },
  { key: "a.f64", type: "f64", value: 1e-300 },
];
const arrays: readonly BuiltEntry[] = scalars.map(({ key, type, value }) => ({
  key: `${key}.array`,
  type: "array",
  elementType: type,
  value: [value, value],
}));
const whole: BuiltFile = {
  metadata: [
    ...scalars,
    ...arrays,
    { key: "a.empty", type: "array", elementType: "u8", value: [] },
  ],
  tensors: [
    { name: "one", type: "F32", shape: [7] },
    { name: "two", type: "Q4_0", shape: [64, 3] },
    { name: "three", type: "Q6_K", shape: [256, 2, 2] },
    { name: "four", type: "BF16", shape: [1, 1, 1, 5] },
  ],
};

describe("a GGUF", () => {
  it.each([2, 3])("of version %i is read as it was built", async (version) => {
    const { metadata, tensors, files } = await read(buildGguf({ ...whole, version }));
    for (const entry of [...scalars, ...arrays]) {
      const found = metadata.find(({ key }) => key === entry.key);
      expect(found).toMatchObject({ key: entry.key, type: entry.type, value: entry.value });
    }
    expect(tensors.map(({ name, type, shape, bytes }) => [name, type, shape, bytes])).toEqual([
      ["one", "F32", [7], 28],
      ["two", "Q4_0", [64, 3], 108],
      ["three", "Q6_K", [256, 2, 2], 840],
      ["four", "BF16", [1, 1, 1, 5], 10],
    ]);
    expect(tensors.map(({ pieces }) => (pieces[0]?.offset ?? 0) % 32)).toEqual([0, 0, 0, 0]);
    expect(files[0]?.bytes).toBe(buildGguf(whole).length);
  });

  it("keeps the bytes of a string that is not UTF-8", async () => {
    const bytes = Buffer.from(
      buildGguf({ metadata: [{ key: "k", type: "string", value: "abc" }] }),
    );
    bytes[bytes.indexOf("abc")] = 0xff;
    const [entry] = (await read(bytes)).metadata;
    expect(entry?.value).toBe("\ufffdbc");
    expect([...(entry?.raw ?? [])].slice(8)).toEqual([0xff, 0x62, 0x63]);
    expect(JSON.stringify(entry)).not.toContain("raw");
  });

  it("has the alignment that it says", async () => {
    const metadata = [{ key: "general.alignment", type: "u32", value: 128 }];
    const { tensors } = await read(buildGguf({ ...whole, metadata, alignment: 128 }));
    expect(tensors.map(({ pieces }) => (pieces[0]?.offset ?? 1) % 128)).toEqual([0, 0, 0, 0]);
  });

  it("may have nothing in it", async () => {
    expect(await read(buildGguf({}))).toMatchObject({ metadata: [], tensors: [] });
  });

  it("needs no bytes of weights to be described, but all of them to be there", async () => {
    const bytes = buildGguf(whole);
    const error = await failure(bytes.subarray(0, bytes.length - 33));
    expect(isNibbleError(error, "ERR_FORMAT")).toBe(true);
    expect((error as Error).message).toMatch(/tensor four: ends after the file/);
  });
});

const f32 = (name: string): { name: string; type: string; shape: number[] } => ({
  name,
  type: "F32",
  shape: [8],
});

/** What is wrong, the code, and what the message has to say. */
const refused: readonly (readonly [string, NibbleErrorCode, RegExp, BuiltFile | Uint8Array])[] = [
  ["an empty file", "ERR_FORMAT", /magic/, new Uint8Array()],
  ["another magic", "ERR_FORMAT", /does not begin with GGUF/, buildGguf({ magic: "ABCD" })],
  ["a web page", "ERR_FORMAT", /web page/, Buffer.from("<!DOCTYPE html><html>not found")],
  [
    "a Git LFS pointer",
    "ERR_FORMAT",
    /git lfs pull/,
    Buffer.from("version https://git-lfs.x/spec"),
  ],
  ["a pickle", "ERR_FORMAT", /safetensors/, Buffer.from("PK\u0003\u0004 and more")],
  ["version 1", "ERR_UNSUPPORTED", /version 1/, { version: 1 }],
  ["version 4", "ERR_UNSUPPORTED", /version 4/, { version: 4 }],
  ["big-endian", "ERR_UNSUPPORTED", /big-endian/, { version: 0x03000000 }],
  ["2^63 tensors", "ERR_FORMAT", /number of tensors/, { tensorCount: 2n ** 63n }],
  ["2^64 - 1 keys", "ERR_FORMAT", /number of metadata keys/, { entryCount: 2n ** 64n - 1n }],
  [
    "a count of keys that is one too high",
    "ERR_FORMAT",
    /name of tensor 0/,
    { ...whole, entryCount: 26n },
  ],
  [
    "an array of 2^61 values",
    "ERR_FORMAT",
    /length of metadata k: is 2305843009213693952/,
    withCount(
      buildGguf({ metadata: [{ key: "k", type: "array", elementType: "u64", value: [] }] }),
    ),
  ],
  [
    "a string longer than the file",
    "ERR_FORMAT",
    /length of metadata k/,
    withCount(buildGguf({ metadata: [{ key: "k", type: "string", value: "" }] })),
  ],
  [
    "a nested array",
    "ERR_FORMAT",
    /array of arrays/,
    { metadata: [{ key: "k", type: "array", elementType: "array", value: [] }] },
  ],
  [
    "an unknown value type",
    "ERR_FORMAT",
    /value type 13/,
    { metadata: [{ key: "k", type: "13", value: 1 }] },
  ],
  ["a bool of 2", "ERR_FORMAT", /bool is 2/, { metadata: [{ key: "k", type: "bool", value: 2 }] }],
  [
    "an empty key",
    "ERR_FORMAT",
    /metadata key 0/,
    { metadata: [{ key: "", type: "u8", value: 1 }] },
  ],
  [
    "a key twice",
    "ERR_FORMAT",
    /metadata k: stands there twice/,
    { metadata: ["k", "k"].map((key) => ({ key, type: "u8", value: 1 })) },
  ],
  [
    "a tensor name twice",
    "ERR_FORMAT",
    /tensor t: stands there twice/,
    { tensors: [f32("t"), f32("t")] },
  ],
  ["a name with a NUL", "ERR_FORMAT", /NUL/, { tensors: [f32("a\0b")] }],
  [
    "a name of 64 bytes",
    "ERR_FORMAT",
    /64 bytes long, more than 63/,
    { tensors: [f32("n".repeat(64))] },
  ],
  ["no dimension", "ERR_FORMAT", /0 dimensions/, { tensors: [{ ...f32("t"), shape: [] }] }],
  [
    "five dimensions",
    "ERR_FORMAT",
    /5 dimensions/,
    { tensors: [{ ...f32("t"), shape: [1, 1, 1, 1, 1] }] },
  ],
  [
    "a dimension of 0",
    "ERR_FORMAT",
    /a dimension is 0/,
    { tensors: [{ ...f32("t"), shape: [8, 0] }] },
  ],
  [
    "dimensions whose product overflows",
    "ERR_FORMAT",
    /more than any file/,
    { tensors: [{ ...f32("t"), shape: [2n ** 32n, 2n ** 32n], data: new Uint8Array(32) }] },
  ],
  [
    "a negative dimension",
    "ERR_FORMAT",
    /a dimension is -1/,
    { tensors: [{ ...f32("t"), shape: [-1n], data: new Uint8Array(32) }] },
  ],
  [
    "a row that is no multiple of the block",
    "ERR_FORMAT",
    /a row of 33 is no multiple of Q4_0's block of 32/,
    { tensors: [{ name: "t", type: "Q4_0", shape: [33], data: new Uint8Array(64) }] },
  ],
  [
    "a removed type id",
    "ERR_FORMAT",
    /type 4, which was removed/,
    { tensors: [{ ...f32("t"), type: 4 }] },
  ],
  ["an unknown type id", "ERR_UNSUPPORTED", /type 999/, { tensors: [{ ...f32("t"), type: 999 }] }],
  [
    "a type of ik_llama.cpp",
    "ERR_UNSUPPORTED",
    /ik_llama/,
    { tensors: [{ ...f32("t"), type: 137 }] },
  ],
  [
    "an offset that is not aligned",
    "ERR_FORMAT",
    /no multiple of 32/,
    { tensors: [{ ...f32("t"), offset: 8 }] },
  ],
  [
    "overlapping tensors",
    "ERR_FORMAT",
    /tensor b: overlaps/,
    { tensors: [f32("a"), { ...f32("b"), offset: 0 }] },
  ],
  [
    "a gap between tensors",
    "ERR_FORMAT",
    /tensor b: leaves a gap/,
    { tensors: [f32("a"), { ...f32("b"), offset: 64, data: new Uint8Array(128) }] },
  ],
  [
    "an offset of 2^64 - 32",
    "ERR_FORMAT",
    /does not fit the file/,
    { tensors: [{ ...f32("a"), offset: 2n ** 64n - 32n }] },
  ],
  ...[0, 4, 24, 1 << 21].map(
    (value) =>
      [
        `an alignment of ${value}`,
        "ERR_FORMAT",
        /general\.alignment/,
        { metadata: [{ key: "general.alignment", type: "u32", value }] },
      ] as const,
  ),
  [
    "an alignment of another type",
    "ERR_FORMAT",
    /general\.alignment: is 32 \(u64\)/,
    { metadata: [{ key: "general.alignment", type: "u64", value: 32n }] },
  ],
  [
    "more layers than llama.cpp has room for",
    "ERR_FORMAT",
    /llama\.block_count: is 513/,
    { metadata: [{ key: "llama.block_count", type: "u32", value: 513 }] },
  ],
  [
    "more experts than llama.cpp has room for",
    "ERR_FORMAT",
    /expert_count: is 4294967295/,
    { metadata: [{ key: "x.expert_count", type: "u32", value: 4294967295 }] },
  ],
  [
    "scores for other tokens",
    "ERR_FORMAT",
    /scores: has 1 values for 2 tokens/,
    {
      metadata: [
        { key: "tokenizer.ggml.tokens", type: "array", elementType: "string", value: ["a", "b"] },
        { key: "tokenizer.ggml.scores", type: "array", elementType: "f32", value: [0] },
      ],
    },
  ],
];

/** The last 8 bytes of the only value (a count of 0) become 2^61. */
function withCount(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  // Header 24, key 8 + 1, type 4, and for an array the element type 4.
  const at = copy.readUInt32LE(33) === 9 ? 41 : 37;
  copy.writeBigUInt64LE(2n ** 61n, at);
  return copy;
}

describe("refuses", () => {
  it.each(refused)("%s", async (_what, code, says, built) => {
    const error = await failure(built instanceof Uint8Array ? built : buildGguf(built));
    expect(isNibbleError(error, code), String(error)).toBe(true);
    expect((error as Error).message).toMatch(says);
    expect((error as Error).message).not.toContain("\n");
  });

  it("a header that ends at any byte, and says where", async () => {
    const bytes = buildGguf({ ...whole, tensors: whole.tensors?.slice(0, 2) ?? [] });
    // The last 20 bytes are padding, which nobody needs.
    for (let length = 0; length < bytes.length - 20; length += 1) {
      const error = await failure(bytes.subarray(0, length));
      expect(isNibbleError(error, "ERR_FORMAT"), `${length}: ${String(error)}`).toBe(true);
      if (!isNibbleError(error, "ERR_FORMAT")) continue;
      expect(error.details.field).not.toBe("");
      // Where a tensor's data would begin can lie a little beyond the end.
      expect(error.details.offset).toBeLessThan(length + 64);
    }
  });

  it("random damage, or reads it: nothing else happens", async () => {
    const bytes = buildGguf(whole);
    const damage = fc.array(
      fc.record({ at: fc.nat(bytes.length - 1), byte: fc.integer({ min: 0, max: 255 }) }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const copy = Uint8Array.from(bytes);
        for (const { at, byte } of changes) copy[at] = byte;
        const error = await failure(copy);
        expect(error === undefined || isNibbleError(error), String(error)).toBe(true);
      }),
      { numRuns: 1500, seed: 20261121 },
    );
  });

  it("to go on when the signal is aborted", async () => {
    const path = file("aborted.gguf");
    writeFileSync(path, buildGguf(whole));
    const reason = new Error("enough");
    await expect(readGguf(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it("a file that is not there, and a folder", async () => {
    await expect(readGguf(file("nothing.gguf"))).rejects.toMatchObject({
      code: "ERR_IO",
      details: { errno: "ENOENT" },
    });
    await expect(readGguf(file("."))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describeShared("of upstream", () => {
  const vocabularies = readdirSync(sharedData("vocab")).filter((name) => name.endsWith(".gguf"));
  const models = [
    ...vocabularies.map((name) => `vocab/${name}`),
    "odd/v2-falcon-vocab.gguf",
    "stories260K/stories260K.gguf",
    "TinyStories-656K/TinyStories-656K-F32.gguf",
    "TinyStories-656K/gguf/TinyStories-656K-Q8_0.gguf",
    "TinyStories-656K/gguf/TinyStories-656K-Q2_K.gguf",
    "golden/imatrix/nibble-8m.gguf",
  ];

  it.each(models)("%s reads as @huggingface/gguf reads it", async (name) => {
    const path = sharedData(name);
    const ours = await readGguf(path);
    const theirs = await gguf(path, { allowLocalFile: true });
    const plain = Object.fromEntries(ours.metadata.map(({ key, value }) => [key, value]));
    const { version, tensor_count, kv_count, ...metadata } = theirs.metadata;
    expect([2, 3]).toContain(version);
    expect(Number(tensor_count)).toBe(ours.tensors.length);
    expect(Number(kv_count)).toBe(ours.metadata.length);
    // Compared as text: vitest's diff of a vocabulary takes seconds.
    expect(toText(plain) === toText(metadata)).toBe(true);
    const shape = (lengths: readonly (number | bigint)[]): string => lengths.map(Number).join();
    expect(ours.tensors.map((tensor) => [tensor.name, shape(tensor.shape)])).toEqual(
      theirs.tensorInfos.map((tensor) => [tensor.name, shape(tensor.shape)]),
    );
  });

  it("refuses the draft of the format", async () => {
    const bytes = readFileSync(sharedData("odd/draft-magic.gguf"));
    expect(await failure(bytes)).toMatchObject({ code: "ERR_FORMAT", details: { field: "magic" } });
  });
});

function toText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === "bigint") return item.toString();
    // The other reader drops a byte order mark, which is a token of some vocabularies.
    return typeof item === "string" ? item.replace(/^\ufeff/, "") : item;
  });
}
