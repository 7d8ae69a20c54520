import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import type { Progress } from "../../src/progress.js";
import { hashModel } from "../../src/quantize/hash-model.js";
import { mergeModel } from "../../src/quantize/merge-model.js";
import { splitModel, type SplitOptions } from "../../src/quantize/split-model.js";
import { readGguf } from "../../src/sources/gguf.js";
import { openSource } from "../../src/sources/open.js";
import { buildGguf, type BuiltEntry } from "../helpers/gguf-builder.js";
import { randomWeights } from "../helpers/random.js";
import { runCli } from "../helpers/run-cli.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

const metadata: readonly BuiltEntry[] = [
  { key: "general.architecture", type: "string", value: "somebody-elses" },
  { key: "some.numbers", type: "array", elementType: "i64", value: [1n, -2n, 2n ** 62n] },
  { key: "some.texts", type: "array", elementType: "string", value: ["", "\u2581a", "b"] },
  { key: "some.f64", type: "f64", value: 0.1 },
];

/** Tensors whose sizes are no multiples of the alignment, so that there is padding to keep apart. */
function writeModel(name: string, lengths: readonly number[], alignment = 32): string {
  const extra = { key: "general.alignment", type: "u32", value: alignment };
  const tensors = lengths.map((length, i) => {
    const { buffer } = Float32Array.from(randomWeights(length, i + 1));
    return { name: `t.${i}`, type: "F32", shape: [length], data: new Uint8Array(buffer) };
  });
  const all = alignment === 32 ? metadata : [extra, ...metadata];
  writeFileSync(file(name), buildGguf({ metadata: all, tensors, alignment }));
  return file(name);
}

const model = writeModel("model.gguf", [300, 7, 1000, 1, 400_000, 64, 9]);

async function codeOf(promise: Promise<unknown>): Promise<[string, string]> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isNibbleError(error) ? [error.code, error.message] : ["none", String(error)];
}

const split = (name: string, options: Partial<SplitOptions> = {}, path = model) =>
  splitModel(path, { prefix: file(name), ...options });

describe("split and merge", () => {
  const limits: readonly Partial<SplitOptions>[] = [
    {},
    { maxTensors: 1 },
    { maxTensors: 3 },
    { maxBytes: 1 },
    { maxBytes: 4096 },
    { maxBytes: 10_000_000 },
  ];
  it.each(limits)("give the file that was split: %o", async (limit) => {
    const prefix = `round-${JSON.stringify(limit).replace(/\W/g, "")}`;
    const { parts, bytes } = await split(prefix, limit);
    const sizes = parts.map(({ path }) => readFileSync(path).length);
    expect(parts.map((part) => part.bytes)).toEqual(sizes);
    expect(bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
    const output = file(`${prefix}.gguf`);
    // Any part will do.
    const report = await mergeModel(parts.at(-1)!.path, { output });
    expect(report).toMatchObject({ output, tensors: 7, written: true });
    expect(report.parts).toEqual(parts.map(({ path }) => path));
    expect(readFileSync(output).equals(readFileSync(model))).toBe(true);
    expect(parts.every(({ path }) => existsSync(path))).toBe(true);
  });

  it("keep an alignment other than the usual one", async () => {
    const aligned = writeModel("aligned.gguf", [3, 5, 70, 11], 256);
    const { parts } = await split("aligned-parts", { maxTensors: 2 }, aligned);
    const output = file("aligned-again.gguf");
    await mergeModel(parts[0]!.path, { output });
    expect(readFileSync(output).equals(readFileSync(aligned))).toBe(true);
  });

  it("name the parts and write upstream's keys with upstream's types", async () => {
    const { parts } = await split("keys", { maxTensors: 3 });
    expect(parts.map(({ path }) => path)).toEqual([
      file("keys-00001-of-00003.gguf"),
      file("keys-00002-of-00003.gguf"),
      file("keys-00003-of-00003.gguf"),
    ]);
    expect(parts.map(({ tensors }) => tensors)).toEqual([3, 3, 1]);
    const headers = await Promise.all(parts.map(({ path }) => readGguf(path)));
    const keys = (part: number) => [
      { key: "split.no", type: "u16", value: part },
      { key: "split.count", type: "u16", value: 3 },
      { key: "split.tensors.count", type: "i32", value: 7 },
    ];
    expect(headers[0]!.metadata.slice(0, -3)).toEqual((await readGguf(model)).metadata);
    expect(headers[0]!.metadata.slice(-3)).toEqual(keys(0));
    expect(headers[1]!.metadata).toEqual(keys(1));
    expect(headers[2]!.metadata).toEqual(keys(2));
    expect(headers[2]!.tensors.map(({ name }) => name)).toEqual(["t.6"]);
  });

  it("fill a part to its size, and give what is larger a part of its own", async () => {
    // Padded: 1216, 32, 4000, 32, 1600000, 256, 64 bytes.
    const groups = async (maxBytes: number) =>
      (await split("sizes", { maxBytes, dryRun: true })).parts.map(({ tensors }) => tensors);
    expect(await groups(1)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(await groups(1248)).toEqual([2, 1, 1, 1, 2]);
    expect(await groups(1247)).toEqual([1, 1, 1, 1, 1, 2]);
    expect(await groups(5280)).toEqual([4, 1, 2]);
    expect(await groups(5279)).toEqual([3, 1, 1, 2]);
    expect(await groups(1_605_600)).toEqual([7]);
    expect(existsSync(file("sizes-00001-of-00001.gguf"))).toBe(false);
  });

  it("splits a split model anew, without a trace of the old parts", async () => {
    const first = await split("again-a", { maxTensors: 2 });
    const second = await split("again-b", { maxTensors: 3 }, first.parts[1]!.path);
    expect(second.parts).toHaveLength(3);
    const output = file("again.gguf");
    await mergeModel(second.parts[0]!.path, { output });
    expect(readFileSync(output).equals(readFileSync(model))).toBe(true);
  });

  it("report progress to the last byte", async () => {
    const seen: Progress[] = [];
    const { parts } = await split("progress", { onProgress: (p) => seen.push(p) });
    await mergeModel(parts[0]!.path, { output: file("p.gguf"), onProgress: (p) => seen.push(p) });
    for (const phase of ["split", "merge"]) {
      const last = seen.filter((progress) => progress.phase === phase).at(-1);
      expect(last).toMatchObject({ done: last?.total, unit: "bytes", label: "t.6" });
    }
  });
});

describe("errors of split and merge", () => {
  it("an output that exists is kept unless it may be replaced", async () => {
    const taken = file("taken-00002-of-00003.gguf");
    writeFileSync(taken, "precious");
    const [code, message] = await codeOf(split("taken", { maxTensors: 3 }));
    expect([code, message]).toEqual(["ERR_ARGUMENT", expect.stringContaining("--overwrite")]);
    expect(readFileSync(taken, "utf8")).toBe("precious");
    expect(existsSync(file("taken-00001-of-00003.gguf"))).toBe(false);
    await split("taken", { maxTensors: 3, overwrite: true });
    const output = file("taken.gguf");
    writeFileSync(output, "precious");
    expect((await codeOf(mergeModel(taken, { output })))[0]).toBe("ERR_ARGUMENT");
    expect(readFileSync(output, "utf8")).toBe("precious");
    await mergeModel(taken, { output, overwrite: true });
    expect(readFileSync(output).equals(readFileSync(model))).toBe(true);
  });

  it("an input is never the output, whatever may be replaced", async () => {
    const { parts } = await split("self", { maxTensors: 3 });
    const before = parts.map(({ path }) => readFileSync(path));
    const overwrite = true;
    const onto = mergeModel(parts[0]!.path, { output: parts[1]!.path, overwrite });
    expect(await codeOf(onto)).toEqual(["ERR_ARGUMENT", expect.stringMatching(/inputs/)]);
    const same = split("self", { maxTensors: 3, overwrite }, parts[0]!.path);
    expect(await codeOf(same)).toEqual(["ERR_ARGUMENT", expect.stringMatching(/inputs/)]);
    parts.forEach(({ path }, i) => expect(readFileSync(path).equals(before[i]!)).toBe(true));
  });

  it("a part that is missing is named, and nothing is written", async () => {
    const { parts } = await split("missing", { maxTensors: 3 });
    rmSync(parts[1]!.path);
    const output = file("missing.gguf");
    const result = await codeOf(mergeModel(parts[0]!.path, { output }));
    expect(result).toEqual(["ERR_IO", expect.stringMatching(/00002-of-00003.*part 2 of 3.*miss/)]);
    expect(existsSync(output)).toBe(false);
  });

  it("a model that is not split is not merged", async () => {
    const [code, message] = await codeOf(mergeModel(model, { output: file("whole.gguf") }));
    expect([code, message]).toEqual(["ERR_ARGUMENT", expect.stringContaining("split.count")]);
  });

  it.each([
    { maxTensors: 0 },
    { maxTensors: 1.5 },
    { maxBytes: -1 },
    { maxBytes: NaN },
    { maxBytes: 1000, maxTensors: 1 },
    { prefix: "" },
  ])("senseless limits are refused: %o", async (options) => {
    expect((await codeOf(split("limits", options)))[0]).toBe("ERR_ARGUMENT");
  });

  it("what is stopped leaves no part and no other file", async () => {
    const abort = new AbortController();
    const folder = dirname(model);
    const before = readdirSync(folder);
    const onProgress = () => abort.abort(new DOMException("stopped", "AbortError"));
    const stopped = split("stopped", { maxTensors: 1, signal: abort.signal, onProgress });
    await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe("parts that would be replaced", () => {
  it("stay as long as not all of the new ones are whole", async () => {
    const paths = [1, 2, 3].map((part) => file(`kept-0000${part}-of-00003.gguf`));
    for (const path of paths) writeFileSync(path, "precious");
    const abort = new AbortController();
    const onProgress = ({ done, total }: Progress) => {
      if (done === total) abort.abort(new DOMException("stopped", "AbortError"));
    };
    const options = { maxTensors: 3, overwrite: true, signal: abort.signal, onProgress };
    await expect(split("kept", options)).rejects.toMatchObject({ name: "AbortError" });
    for (const path of paths) expect(readFileSync(path, "utf8")).toBe("precious");
    expect(readdirSync(dirname(model)).filter((name) => name.startsWith("kept"))).toHaveLength(3);
  });
});

describe("hash", () => {
  it("is the sha256 of every tensor's bytes, and of them all", async () => {
    const { tensors, sha256 } = await hashModel(model);
    const source = await readGguf(model);
    const bytes = readFileSync(model);
    const data = source.tensors.map(({ pieces: [piece] }) =>
      bytes.subarray(piece!.offset, piece!.offset + piece!.bytes),
    );
    const sum = (part: Uint8Array) => createHash("sha256").update(part).digest("hex");
    expect(tensors.map((tensor) => tensor.sha256)).toEqual(data.map(sum));
    expect(sha256).toBe(sum(Buffer.concat(data)));
  });

  it("is that of the same model in parts", async () => {
    const { parts } = await split("hashed", { maxTensors: 2 });
    const [whole, split2] = [await hashModel(model), await hashModel(parts[2]!.path)];
    expect(split2.sha256).toBe(whole.sha256);
    expect(split2.tensors).toEqual(whole.tensors);
  });
});

describe("the commands", () => {
  it("split, merge and hash", async () => {
    const prefix = file("cli");
    const dry = await runCli("split", model, prefix, "--split-max-tensors", "4", "--dry-run");
    expect(dry.stdout).toMatch(/cli-00002-of-00002\.gguf.*\n.*\nwould write 2 files, 1\.\d+ MiB/);
    expect(existsSync(`${prefix}-00001-of-00002.gguf`)).toBe(false);
    const made = await runCli("split", model, prefix, "--split-max-size", "1M", "--json");
    expect(JSON.parse(made.stdout)).toMatchObject({ written: true, parts: [{}, {}, {}] });
    const output = file("cli.gguf");
    const merged = await runCli("merge", `${prefix}-00003-of-00003.gguf`, output);
    expect(merged).toMatchObject({ status: 0, stdout: expect.stringMatching(/^wrote .*3 parts/) });
    const { stdout } = await runCli("hash", output);
    const { sha256, tensors } = await hashModel(model);
    const lines = [...tensors.map((t) => `${t.sha256}  ${t.name}`), `${sha256}  all tensors of `];
    expect(stdout).toContain(lines.join("\n"));
  });

  it.each([
    ["--split-max-size", "2"],
    ["--split-max-size", "0G"],
    ["--split-max-size", "2T"],
    ["--split-max-tensors", "0"],
    ["--split-max-tensors", "1", "--split-max-size", "2G"],
  ])("split %s %s is refused", async (...options) => {
    const { status, stderr } = await runCli("split", model, file("no"), ...options);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^nibble: .*split-max/);
  });
});

describeShared("a real model", () => {
  it("goes through split and merge byte for byte, and its parts are one model", async () => {
    const path = file("stories.gguf");
    copyFileSync(sharedData("stories260K/stories260K.gguf"), path);
    const { parts } = await split("stories", { maxBytes: 300_000 }, path);
    expect(parts.length).toBeGreaterThan(2);
    const output = file("stories-again.gguf");
    await mergeModel(parts[0]!.path, { output });
    const [before, after] = [await openSource(path), await openSource(output)];
    expect(after.metadata).toEqual(before.metadata);
    expect(after.tensors).toEqual(before.tensors);
    expect((await hashModel(output)).tensors).toEqual((await hashModel(path)).tensors);
  });
});
