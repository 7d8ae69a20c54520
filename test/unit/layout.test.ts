import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gguf } from "@huggingface/gguf";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NibbleError } from "../../src/errors.js";
import { format, formatOfId, formats, type FormatName } from "../../src/formats.js";
import { makePlan } from "../../src/plan/plan.js";
import { layoutGguf, type Layout, type LayoutTensor } from "../../src/quantize/layout.js";
import type { MetadataEntry, ScalarType } from "../../src/sources/model-info.js";
import { makeableWithoutImportance } from "../helpers/makeable-recipes.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { syntheticModel, tensor } from "../helpers/synthetic-model.js";

const typeNames: readonly (ScalarType | "array")[] = [
  ...(["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array"] as const),
  ...(["u64", "i64", "f64"] as const),
];

interface Parsed {
  readonly version: number;
  readonly metadata: MetadataEntry[];
  readonly tensors: { name: string; shape: number[]; type: FormatName; offset: number }[];
  readonly end: number;
}

/** A second reader, written for the test: it knows nothing of the writer and trusts the file. */
function parse(bytes: Buffer): Parsed {
  let at = 8;
  const take = (count: number): number => (at += count) - count;
  const u32 = (): number => bytes.readUInt32LE(take(4));
  const u64 = (): number => Number(bytes.readBigUInt64LE(take(8)));
  const text = (): string => {
    const length = u64();
    return bytes.toString("utf8", take(length), at);
  };
  const scalars: Record<ScalarType, () => number | bigint | boolean | string> = {
    u8: () => bytes.readUInt8(take(1)),
    i8: () => bytes.readInt8(take(1)),
    u16: () => bytes.readUInt16LE(take(2)),
    i16: () => bytes.readInt16LE(take(2)),
    u32,
    i32: () => bytes.readInt32LE(take(4)),
    f32: () => bytes.readFloatLE(take(4)),
    bool: () => bytes.readUInt8(take(1)) === 1,
    string: text,
    u64: () => bytes.readBigUInt64LE(take(8)),
    i64: () => bytes.readBigInt64LE(take(8)),
    f64: () => bytes.readDoubleLE(take(8)),
  };
  const tensorCount = u64();
  const metadata = Array.from({ length: u64() }, (): MetadataEntry => {
    const key = text();
    const type = typeNames[u32()] ?? "u8";
    const start = at;
    let entry: MetadataEntry;
    if (type === "array") {
      const elementType = (typeNames[u32()] ?? "u8") as ScalarType;
      const value = Array.from({ length: u64() }, scalars[elementType]);
      entry = { key, type, elementType, value };
    } else {
      entry = { key, type, value: scalars[type]() };
    }
    return Object.defineProperty(entry, "raw", { value: bytes.subarray(start, at) });
  });
  const tensors = Array.from({ length: tensorCount }, () => ({
    name: text(),
    shape: Array.from({ length: u32() }, u64),
    type: formatOfId(u32())?.name ?? "F32",
    offset: u64(),
  }));
  return { version: bytes.readUInt32LE(4), metadata, tensors, end: at };
}

function header({ header: bytes }: Layout): Parsed {
  return parse(Buffer.from(bytes));
}

function layoutTensor(name: string, shape: readonly number[], type: FormatName): LayoutTensor {
  return tensor(name, shape, type);
}

const everyType: readonly MetadataEntry[] = [
  { key: "a.u8", type: "u8", value: 255 },
  { key: "a.i8", type: "i8", value: -128 },
  { key: "a.u16", type: "u16", value: 65535 },
  { key: "a.i16", type: "i16", value: -32768 },
  { key: "a.u32", type: "u32", value: 4294967295 },
  { key: "a.i32", type: "i32", value: -2147483648 },
  { key: "a.f32", type: "f32", value: Math.fround(1e-5) },
  { key: "a.true", type: "bool", value: true },
  { key: "a.false", type: "bool", value: false },
  { key: "a.string", type: "string", value: "Ġ tüte 🦙 \0 end" },
  { key: "a.empty", type: "string", value: "" },
  { key: "a.u64", type: "u64", value: 18446744073709551615n },
  { key: "a.i64", type: "i64", value: -9223372036854775808n },
  { key: "a.f64", type: "f64", value: Math.PI },
  { key: "a.strings", type: "array", elementType: "string", value: ["<s>", "", "▁the"] },
  { key: "a.floats", type: "array", elementType: "f32", value: [0, -0.5, Infinity] },
  { key: "a.bools", type: "array", elementType: "bool", value: [true, false] },
  { key: "a.longs", type: "array", elementType: "i64", value: [-1n, 1n] },
  { key: "a.none", type: "array", elementType: "u32", value: [] },
];

describe("layoutGguf", () => {
  const tensors = [
    layoutTensor("token_embd.weight", [64, 7], "Q4_0"),
    layoutTensor("blk.0.attn_norm.weight", [3], "F32"),
    layoutTensor("blk.0.ffn_down_exps.weight", [32, 5, 2], "Q8_0"),
    layoutTensor("last", [1, 1, 1, 1], "I8"),
  ];

  it("writes metadata of every type as it is", () => {
    const parsed = header(layoutGguf(everyType, []));
    expect(parsed.version).toBe(3);
    expect(parsed.metadata).toEqual(everyType);
  });

  it("places tensors in the order given, aligned and without gaps", () => {
    const layout = layoutGguf(everyType, tensors);
    const parsed = header(layout);
    expect(parsed.tensors.map(({ name, shape, type }) => ({ name, shape, type }))).toEqual(
      tensors.map(({ name, shape, type }) => ({ name, shape, type })),
    );
    // 252, 12, 340 and 1 bytes, each padded to 32.
    expect(parsed.tensors.map(({ offset }) => offset)).toEqual([0, 256, 288, 640]);
    expect(layout.tensors.map(({ offset }) => offset - layout.dataOffset)).toEqual([
      0, 256, 288, 640,
    ]);
    expect(layout.totalBytes).toBe(layout.dataOffset + 672);
    expect(layout.dataOffset % 32).toBe(0);
    expect(layout.dataOffset - parsed.end).toBeLessThan(32);
    expect(layout.header).toHaveLength(layout.dataOffset);
    expect(layout.header.subarray(parsed.end).every((byte) => byte === 0)).toBe(true);
  });

  it("lays out a model without metadata and tensors", () => {
    const layout = layoutGguf([], []);
    expect(Buffer.from(layout.header).toString("hex")).toBe(`4747554603000000${"00".repeat(24)}`);
    expect(layout.totalBytes).toBe(32);
  });

  it.each([1, 2, 32, 64, 4096])("aligns to a general.alignment of %i", (alignment) => {
    const entry: MetadataEntry = { key: "general.alignment", type: "u32", value: alignment };
    const layout = layoutGguf([entry], tensors);
    for (const { offset } of layout.tensors) expect(offset % alignment).toBe(0);
    expect(layout.totalBytes % alignment).toBe(0);
    expect(layout.dataOffset - header(layout).end).toBeLessThan(alignment);
  });

  it.each([0, -32, 3, 0.5, 2 ** 21, "32", NaN])("refuses a general.alignment of %s", (value) => {
    const entry = { key: "general.alignment", type: "u32", value } as const;
    expect(() => layoutGguf([entry], [])).toThrow(
      expect.objectContaining({ code: "ERR_UNSUPPORTED" }) as Error,
    );
  });

  it("copies the raw bytes of a value where it has them", () => {
    const raw = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe);
    const entry: MetadataEntry = { key: "k", type: "string", value: "\ufffd\ufffd", raw };
    const bytes = Buffer.from(layoutGguf([entry], []).header);
    expect(bytes.includes(Buffer.concat([Uint8Array.of(8, 0, 0, 0), raw]))).toBe(true);
  });

  it.each<MetadataEntry>([
    { key: "k", type: "u8", value: 256 },
    { key: "k", type: "u32", value: -1 },
    { key: "k", type: "u64", value: 0.5 },
    { key: "k", type: "u32", value: [1] },
    { key: "k", type: "array", value: [1] },
    { key: "k", type: "array", elementType: "u32", value: 1 },
  ])("calls a value that is not of its type a bug: %j", (entry) => {
    expect(() => layoutGguf([entry], [])).toThrow(
      expect.objectContaining({
        code: "ERR_INTERNAL",
        message: expect.stringContaining("metadata k: the value is no") as string,
      }) as Error,
    );
  });

  it("writes a vocabulary of 256k tokens in well under a second", () => {
    const tokens = Array.from({ length: 262144 }, (_, id) => `▁token${id}`);
    const scores = tokens.map((_, id) => -id);
    const start = performance.now();
    const layout = layoutGguf(
      [
        { key: "tokenizer.ggml.tokens", type: "array", elementType: "string", value: tokens },
        { key: "tokenizer.ggml.scores", type: "array", elementType: "f32", value: scores },
      ],
      [],
    );
    expect(performance.now() - start).toBeLessThan(2000);
    expect(header(layout).metadata[0]?.value).toEqual(tokens);
  });

  it("gives back any metadata and any tensors", () => {
    const number = (min: number, max: number) => fc.integer({ min, max });
    const scalars: Record<string, fc.Arbitrary<number | bigint | boolean | string>> = {
      u8: number(0, 255),
      i16: number(-32768, 32767),
      u32: number(0, 0xffffffff),
      f32: fc.float({ noNaN: true }),
      f64: fc.double({ noNaN: true }),
      bool: fc.boolean(),
      string: fc.string({ unit: "grapheme" }),
      i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    };
    const key = fc.string({ minLength: 1 }).filter((text) => text !== "general.alignment");
    const value = fc.constantFrom(...(Object.keys(scalars) as ScalarType[])).chain((type) => {
      const scalar = scalars[type] ?? fc.boolean();
      return fc.oneof(
        fc.record({ key, type: fc.constant(type), value: scalar }),
        fc.record({
          key,
          type: fc.constant("array" as const),
          elementType: fc.constant(type),
          value: fc.array(scalar),
        }),
      );
    });
    const anyTensor = fc
      .tuple(
        fc.string({ minLength: 1, maxLength: 63 }),
        fc.constantFrom(...formats.map(({ name }) => name)),
        fc.array(number(1, 9), { minLength: 1, maxLength: 4 }),
      )
      .map(([name, type, [blocks = 1, ...others]]) =>
        layoutTensor(name, [blocks * format(type).values, ...others], type),
      );
    fc.assert(
      fc.property(fc.array(value), fc.array(anyTensor), (metadata, some) => {
        const layout = layoutGguf(metadata, some);
        const parsed = header(layout);
        expect(parsed.metadata).toEqual(metadata);
        expect(parsed.tensors).toEqual(
          some.map(({ name, shape, type }, index) => ({
            name,
            shape,
            type,
            offset: (layout.tensors[index]?.offset ?? 0) - layout.dataOffset,
          })),
        );
        let end = layout.dataOffset;
        for (const { offset, bytes } of layout.tensors) {
          expect(offset).toBe(end);
          end = Math.ceil((offset + bytes) / 32) * 32;
        }
        expect(layout.totalBytes).toBe(end);
      }),
    );
  });
});

describe("a second opinion", () => {
  let folder = "";
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "nibble-layout-"))));
  afterAll(() => rm(folder, { recursive: true }));

  it("@huggingface/gguf reads the header as it was meant", async () => {
    const { metadata, tensors } = makePlan(
      syntheticModel(
        [
          tensor("token_embd.weight", [64, 7], "F32"),
          tensor("blk.0.attn_norm.weight", [64], "F32"),
        ],
        { metadata: everyType },
      ),
      { recipe: "Q4_0" },
    );
    const layout = layoutGguf(
      metadata,
      tensors.map(({ name, shape, to, bytes }) => ({ name, shape, type: to, bytes })),
    );
    const path = join(folder, "header.gguf");
    const file = new Uint8Array(layout.totalBytes);
    file.set(layout.header);
    await writeFile(path, file);
    const read = await gguf(path, { allowLocalFile: true });
    expect(Number(read.tensorDataOffset)).toBe(layout.dataOffset);
    const values = read.metadata as unknown as Record<string, unknown>;
    for (const { key, value } of metadata) expect(values[key], key).toEqual(value);
    expect(
      read.tensorInfos.map(({ name, shape, dtype, offset }) => ({
        name,
        shape: shape.map(Number),
        id: dtype,
        offset: Number(offset) + layout.dataOffset,
      })),
    ).toEqual(
      tensors.map(({ name, shape, to }, index) => ({
        name,
        shape,
        id: format(to).id,
        offset: layout.tensors[index]?.offset,
      })),
    );
  });
});

describeShared("headers that llama.cpp's tools wrote", () => {
  it.each([
    "stories260K/stories260K.gguf",
    "TinyStories-656K/TinyStories-656K-F32.gguf",
    "TinyStories-656K/gguf/TinyStories-656K-Q8_0.gguf",
    "vocab/ggml-vocab-llama-spm.gguf",
  ])("%s comes out byte for byte", async (path) => {
    const bytes = await readFile(sharedData(path));
    const { metadata, tensors, end } = parse(bytes);
    const placed = tensors.map(({ name, shape, type }) => layoutTensor(name, shape, type));
    const withoutRaw = metadata.map((entry) => ({ ...entry }));
    for (const entries of [metadata, withoutRaw]) {
      const layout = layoutGguf(entries, placed);
      // A file that is vocabulary only may end without padding.
      const length = tensors.length > 0 ? layout.dataOffset : end;
      const written = layout.header.subarray(0, length);
      expect(Buffer.compare(written, bytes.subarray(0, length))).toBe(0);
      if (tensors.length > 0) expect(layout.totalBytes).toBe(bytes.length);
    }
  });
});

describeShared("files of the shared models have the length of llama-quantize's", () => {
  // The first is no recipe of llama-quantize, and the other changes nothing.
  const noGolden = ["NVFP4", "COPY"];
  const models = {
    stories260K: "stories260K/stories260K.gguf",
    "TinyStories-656K": "TinyStories-656K/TinyStories-656K-F32.gguf",
  };

  it.each(
    Object.entries(models).flatMap(([model, path]) =>
      makeableWithoutImportance
        .filter(({ name }) => !noGolden.includes(name))
        .map(({ name: recipe }) => ({ model, path, recipe })),
    ),
  )("$model $recipe", async ({ model, path, recipe }) => {
    const { metadata, tensors } = parse(await readFile(sharedData(path)));
    const source = {
      ...syntheticModel(tensors.map(({ name, shape, type }) => tensor(name, shape, type))),
      metadata,
    };
    const golden = JSON.parse(
      await readFile(sharedData(`golden/${model}.${recipe}.json`), "utf8"),
    ) as { refused?: boolean; file_bytes: number };
    if (golden.refused === true) {
      expect(() => makePlan(source, { recipe })).toThrow(NibbleError);
      return;
    }
    const plan = makePlan(source, { recipe });
    const layout = layoutGguf(
      plan.metadata,
      plan.tensors.map(({ name, shape, to, bytes }) => ({ name, shape, type: to, bytes })),
    );
    expect(layout.totalBytes).toBe(golden.file_bytes);
  });
});
