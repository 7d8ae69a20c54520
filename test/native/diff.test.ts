import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { diffModels } from "../../src/quantize/diff-models.js";
import { quantize } from "../../src/quantize/quantize.js";
import { splitModel } from "../../src/quantize/split-model.js";
import { verify } from "../../src/quantize/verify.js";
import { buildGguf, type BuiltEntry, type BuiltTensor } from "../helpers/gguf-builder.js";
import { randomWeights } from "../helpers/random.js";
import { runCli } from "../helpers/run-cli.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

const metadata: readonly BuiltEntry[] = [
  { key: "general.architecture", type: "string", value: "somebody-elses" },
  { key: "some.numbers", type: "array", elementType: "i32", value: [1, 2, 3] },
  { key: "some.rate", type: "f32", value: 0.1 },
];

function matrix(name: string, rows: number, seed: number): BuiltTensor & { data: Uint8Array } {
  const { buffer } = Float32Array.from(randomWeights(256 * rows, seed));
  return { name, type: "F32", shape: [256, rows], data: new Uint8Array(buffer) };
}

const tensors = [1, 2, 3].map((i) => matrix(`blk.${i}.ffn_up.weight`, 8, i));
/** Of a type that is only copied. */
const opaque = { name: "opaque", type: "I32", shape: [4], data: new Uint8Array(16).fill(1) };

function write(
  name: string,
  parts: { tensors?: readonly BuiltTensor[]; metadata?: readonly BuiltEntry[] } = {},
): string {
  writeFileSync(file(name), buildGguf({ metadata, tensors: [...tensors, opaque], ...parts }));
  return file(name);
}

const model = write("model.gguf");

describe("diff", () => {
  it("finds nothing between a model and its copy, or its parts", async () => {
    const { parts } = await splitModel(model, { prefix: file("parts"), maxTensors: 1 });
    const copy = await diffModels(model, write("copy.gguf"));
    expect(copy).toMatchObject({ same: true, metadata: [], onlyInA: [], onlyInB: [] });
    expect(copy.tensors.every(({ same }) => same)).toBe(true);
    const split = await diffModels(model, parts[0]!.path);
    expect(split.tensors).toEqual(copy.tensors);
    expect(split.metadata.map(({ key }) => key)).toEqual([
      ...["split.no", "split.count", "split.tensors.count"],
    ]);
  });

  it("tells keys that are missing, new, or of another type or value", async () => {
    const changed = write("keys.gguf", {
      metadata: [
        { key: "some.new", type: "bool", value: true },
        { key: "some.numbers", type: "array", elementType: "i32", value: [1, 2, 4] },
        { key: "some.rate", type: "f64", value: Math.fround(0.1) },
      ],
    });
    const report = await diffModels(model, changed);
    const sides = report.metadata.map(({ key, a, b }) => [key, a?.type, b?.type]);
    expect(sides).toEqual([
      ["general.architecture", "string", undefined],
      ["some.numbers", "array", "array"],
      ["some.rate", "f32", "f64"],
      ["some.new", undefined, "bool"],
    ]);
    expect(report.same).toBe(false);
  });

  it("tells tensors of one model, other shapes and types, and one bit", async () => {
    const [first, second, third] = tensors;
    const flipped = Uint8Array.from(second!.data);
    flipped[100] = flipped[100]! ^ 1;
    const bytes = Uint8Array.from(opaque.data);
    bytes[15] = 9;
    const changed = write("tensors.gguf", {
      tensors: [
        { ...first!, shape: [512, 4] },
        { ...second!, data: flipped },
        matrix("new", 1, 9),
        { ...opaque, data: bytes },
      ],
    });
    const report = await diffModels(model, changed);
    expect(report.onlyInA).toEqual([third!.name]);
    expect(report.onlyInB).toEqual(["new"]);
    const [reshaped, bit, other] = report.tensors;
    expect(reshaped).toEqual({
      name: first!.name,
      types: ["F32", "F32"],
      shapes: [
        [256, 8],
        [512, 4],
      ],
      same: false,
    });
    expect(bit).toMatchObject({ name: second!.name, same: false });
    expect(bit!.maxAbsError).toBeGreaterThan(0);
    expect(bit!.relativeRmse).toBeLessThan(1e-6);
    expect(other).toMatchObject({ name: "opaque", types: ["I32", "I32"], same: false });
    expect(other).not.toHaveProperty("rmse");
  });

  it("tells zeros of different signs apart, whose error is 0", async () => {
    const zeros = new Uint8Array(256 * 4);
    const negative = Uint8Array.from(zeros);
    negative[3] = 0x80;
    const one = { name: "zeros", type: "F32", shape: [256, 1] };
    const a = write("zeros-a.gguf", { tensors: [{ ...one, data: zeros }] });
    const b = write("zeros-b.gguf", { tensors: [{ ...one, data: negative }] });
    const [tensor] = (await diffModels(a, b)).tensors;
    expect(tensor).toMatchObject({ maxAbsError: 0, same: false });
  });

  it("gives the errors of verify, whichever way it is split", async () => {
    const output = file("q4.gguf");
    await quantize(model, { recipe: "Q4_0", output });
    const { tensors: verified } = await verify(output, { against: model });
    const errors = (rows: readonly object[]) =>
      rows.map((row) => ("relativeRmse" in row ? row.relativeRmse : undefined));
    const whole = await diffModels(model, output);
    expect(errors(whole.tensors)).toEqual(errors(verified));
    const a = await splitModel(model, { prefix: file("a"), maxTensors: 1 });
    const b = await splitModel(output, { prefix: file("b"), maxTensors: 2 });
    const split = await diffModels(a.parts[0]!.path, b.parts[0]!.path);
    expect(split.tensors).toEqual(whole.tensors);
  });

  it("prints it, and as JSON", async () => {
    const q8 = file("q8.gguf");
    await quantize(model, { recipe: "Q8_0", output: q8 });
    const { stdout } = await runCli("diff", model, q8);
    expect(stdout).toMatch(/general\.file_type +\| - +\| 7 \(u32\)/);
    expect(stdout).toMatch(/blk\.1\.ffn_up\.weight +\| F32 +\| Q8_0 +\| +0\.00\d+ \|/);
    expect(stdout).toMatch(/3 of 4 tensors differ; 0 tensors only in A, 0 only in B\n$/);
    const json = await runCli("diff", model, q8, "--json");
    expect(JSON.parse(json.stdout)).toEqual(
      JSON.parse(JSON.stringify(await diffModels(model, q8))),
    );
    const none = await runCli("diff", model, model);
    expect(none.stdout).toBe("no difference: 4 tensors and all metadata are the same\n");
  });

  it("wants a GGUF as B", async () => {
    const { status, stderr } = await runCli("diff", model, file("missing.gguf"));
    expect([status, stderr]).toEqual([4, expect.stringContaining("missing.gguf")]);
  });
});

describeShared("a Hugging Face directory", () => {
  it("is the same as what it is converted to", async () => {
    const hf = sharedData("TinyStories-656K");
    const output = file("converted.gguf");
    await quantize(hf, { recipe: "F32", output });
    const report = await diffModels(hf, output);
    expect(report.tensors.length).toBeGreaterThan(10);
    expect(report.tensors.filter(({ maxAbsError }) => maxAbsError !== 0)).toEqual([]);
    expect([...report.onlyInA, ...report.onlyInB]).toEqual([]);
    const refused = await runCli("diff", output, hf);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining("B: expected") });
  });
});
