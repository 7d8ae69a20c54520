import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { quantize, type QuantizeOptions } from "../../src/quantize/quantize.js";
import { splitModel } from "../../src/quantize/split-model.js";
import { verify } from "../../src/quantize/verify.js";
import { readGguf } from "../../src/sources/gguf.js";
import { openSource } from "../../src/sources/open.js";
import { buildGguf, type BuiltTensor } from "../helpers/gguf-builder.js";
import { randomWeights } from "../helpers/random.js";
import { runCli } from "../helpers/run-cli.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

/** Names in an order that is not the one of llama-quantize; rows of 256. */
const names = [
  ...["token_embd.weight", "blk.1.ffn_down.weight", "blk.1.attn_norm.weight"],
  ...["blk.0.attn_v.weight", "blk.0.ffn_down.weight", "output.weight", "blk.2.ffn_down.weight"],
];

function builtTensor(name: string, seed: number, rows = 96): BuiltTensor {
  const shape = name.includes("norm") ? [256] : [256, rows];
  const values = randomWeights(
    shape.reduce((a, b) => a * b),
    seed,
  );
  return { name, type: "F32", shape, data: new Uint8Array(values.buffer) };
}

const metadata = [
  { key: "general.architecture", type: "string", value: "llama" },
  { key: "llama.block_count", type: "u32", value: 3 },
  { key: "llama.attention.head_count", type: "u32", value: 4 },
];

let whole: string;
let source: string;
beforeAll(async () => {
  whole = file("whole.gguf");
  writeFileSync(
    whole,
    buildGguf({ metadata, tensors: names.map((n, i) => builtTensor(n, i + 1)) }),
  );
  const { parts } = await splitModel(whole, { prefix: file("source"), maxTensors: 3 });
  source = parts[1]!.path;
});

const partNames = (prefix: string, count = 3) =>
  Array.from({ length: count }, (_, i) => file(`${prefix}-0000${i + 1}-of-0000${count}.gguf`));

const left = (part: string) => readdirSync(file(".")).filter((name) => name.includes(part));

async function codeOf(path: string, options: QuantizeOptions): Promise<[string, string]> {
  const error: unknown = await quantize(path, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isNibbleError(error) ? [error.code, error.message] : ["none", String(error)];
}

describe("quantize with keepSplit", () => {
  it("writes the source's files, with the tensors in their places and upstream's keys", async () => {
    const report = await quantize(source, {
      ...{ recipe: "Q4_K_M", output: file("same.gguf"), keepSplit: true },
    });
    const paths = partNames("same");
    expect(report.output).toBe(paths[0]);
    expect(report.parts?.map(({ path }) => path)).toEqual(paths);
    const headers = await Promise.all(paths.map((path) => readGguf(path)));
    expect(headers.map(({ tensors }) => tensors.map(({ name }) => name))).toEqual([
      names.slice(0, 3),
      names.slice(3, 6),
      names.slice(6),
    ]);
    const keys = (part: number) => [
      { key: "split.no", type: "u16", value: part },
      { key: "split.count", type: "u16", value: 3 },
      { key: "split.tensors.count", type: "i32", value: 7 },
    ];
    expect(headers[0]!.metadata.map(({ key }) => key)).toEqual([
      ...metadata.map(({ key }) => key),
      ...["general.quantization_version", "general.file_type"],
      ...keys(0).map(({ key }) => key),
    ]);
    for (const part of [1, 2]) expect(headers[part]!.metadata).toEqual(keys(part));
    const sizes = paths.map((path) => readFileSync(path).length);
    expect(report.parts?.map(({ bytes }) => bytes)).toEqual(sizes);
    expect(report.bytes).toBe(sizes.reduce((a, b) => a + b));
    expect(left("same").sort()).toEqual(paths.map((path) => path.split("/").at(-1)));
    const { ok } = await verify(paths[2]!, { against: whole });
    expect(ok).toBe(true);
  });

  it("writes the bytes that each tensor has in one file", async () => {
    await quantize(source, { recipe: "Q8_0", output: file("parts"), keepSplit: true });
    await quantize(source, { recipe: "Q8_0", output: file("one.gguf") });
    const bytes = async (path: string) => {
      const { tensors, files } = await openSource(path);
      return new Map(
        tensors.map(({ name, pieces: [piece] }) => {
          const whole = readFileSync(files[piece!.file]!.path);
          const { offset, bytes: length } = piece!;
          return [name, whole.subarray(offset, offset + length).toString("base64")];
        }),
      );
    };
    const [split, one] = [await bytes(partNames("parts")[0]!), await bytes(file("one.gguf"))];
    for (const name of names) expect(split.get(name)).toBe(one.get(name));
  });

  it("writes one file of a source that is one", async () => {
    const output = file("not-split.gguf");
    const report = await quantize(whole, { recipe: "Q8_0", output, keepSplit: true });
    expect(report.parts).toBeUndefined();
    await quantize(whole, { recipe: "Q8_0", output: file("plain.gguf") });
    expect(readFileSync(output).equals(readFileSync(file("plain.gguf")))).toBe(true);
  });

  it("keeps a first file without tensors, and drops others that lost all of theirs", async () => {
    const paths = partNames("bare");
    const split = (no: number) => [
      { key: "split.no", type: "u16", value: no },
      { key: "split.count", type: "u16", value: 3 },
      { key: "split.tensors.count", type: "i32", value: 2 },
    ];
    writeFileSync(paths[0]!, buildGguf({ metadata: [...metadata, ...split(0)] }));
    ["blk.0.ffn_down.weight", "blk.1.ffn_down.weight"].forEach((name, i) => {
      const tensors = [builtTensor(name, i)];
      writeFileSync(paths[i + 1]!, buildGguf({ metadata: split(i + 1), tensors }));
    });
    const options = { recipe: "Q8_0", keepSplit: true } as const;
    const all = await quantize(paths[0]!, { ...options, output: file("bare-q8.gguf") });
    expect(all.parts?.map(({ tensors }) => tensors)).toEqual([0, 1, 1]);
    const pruned = await quantize(paths[0]!, {
      ...{ ...options, output: file("bare-pruned.gguf"), pruneLayers: [0] },
    });
    expect(pruned.parts?.map(({ path, tensors }) => [path, tensors])).toEqual([
      [partNames("bare-pruned", 2)[0], 0],
      [partNames("bare-pruned", 2)[1], 1],
    ]);
    const model = await openSource(pruned.output);
    expect(model.tensors.map(({ name }) => name)).toEqual(["blk.0.ffn_down.weight"]);
    // It is layer 1's: the second file's.
    const { tensors } = await quantize(paths[0]!, {
      ...{ ...options, output: file("again.gguf"), pruneLayers: [0], recipe: "F32" },
    });
    expect(tensors[0]!.rmse).toBe(0);
  });

  it("refuses parts that exist, and writes none", async () => {
    const [first, second] = partNames("taken");
    writeFileSync(second!, "precious");
    const options = { recipe: "Q8_0", output: file("taken.gguf"), keepSplit: true } as const;
    expect((await codeOf(source, options))[0]).toBe("ERR_ARGUMENT");
    expect(existsSync(first!)).toBe(false);
    expect(readFileSync(second!, "utf8")).toBe("precious");
    await quantize(source, { ...options, overwrite: true });
    expect((await verify(first!)).ok).toBe(true);
    expect(left("taken")).toHaveLength(3);
  });

  it("refuses to write over its source", async () => {
    const output = `${dirname(source)}/source.gguf`;
    const options = { recipe: "Q8_0", output, keepSplit: true, overwrite: true } as const;
    expect((await codeOf(source, options))[1]).toMatch(/not one of the inputs/);
  });

  it("leaves nothing after an error in a later part, and what was there", async () => {
    const paths = partNames("bad");
    partNames("source").forEach((path, i) => copyFileSync(path, paths[i]!));
    const { tensors } = await readGguf(paths[2]!);
    const bytes = readFileSync(paths[2]!);
    bytes.writeFloatLE(NaN, tensors[0]!.pieces[0]!.offset + 40);
    writeFileSync(paths[2]!, bytes);
    partNames("of-bad").forEach((path) => writeFileSync(path, "precious"));
    const [code] = await codeOf(paths[0]!, {
      ...{ recipe: "Q8_0", output: file("of-bad"), keepSplit: true, overwrite: true },
    });
    expect(code).toBe("ERR_FORMAT");
    expect(left("of-bad")).toHaveLength(3);
    for (const path of partNames("of-bad")) expect(readFileSync(path, "utf8")).toBe("precious");
  });

  it("goes on where it was stopped", async () => {
    const output = file("stopped");
    const options = { recipe: "Q4_K_M", output, keepSplit: true } as const;
    const abort = new AbortController();
    const stopped = quantize(source, {
      ...options,
      signal: abort.signal,
      onProgress: ({ phase }) => {
        if (phase === "verify") abort.abort(new Error("enough"));
      },
    });
    await expect(stopped).rejects.toThrow("enough");
    expect(left("stopped").every((name) => name.includes(".partial"))).toBe(true);
    const report = await quantize(source, { ...options, resume: true });
    expect(report.resumedTensors).toBe(7);
    expect(left("stopped")).toHaveLength(3);
    await quantize(source, { ...options, output: file("unstopped") });
    partNames("stopped").forEach((path, i) => {
      expect(readFileSync(path).equals(readFileSync(partNames("unstopped")[i]!))).toBe(true);
    });
  });

  it("does the same by the command line, with layers pruned and metadata set", async () => {
    const args = [
      ...["quantize", source, file("cli.gguf"), "--type", "Q8_0", "--keep-split"],
      ...["--prune-layers", "0", "--override-kv", "general.name=str:Mine"],
    ];
    const dry = await runCli(...args, "--dry-run");
    expect(dry.stdout).toContain(partNames("cli")[0]);
    expect(dry.stdout).toMatch(/3 files would have/);
    expect(left("cli")).toEqual([]);
    const { status, stderr } = await runCli(...args);
    expect(status, stderr).toBe(0);
    const { metadata: entries, tensors } = await openSource(partNames("cli")[0]!);
    const value = (key: string) => entries.find((entry) => entry.key === key)?.value;
    expect(value("general.name")).toBe("Mine");
    expect(value("llama.block_count")).toBe(2);
    expect(tensors.map(({ name }) => name)).toEqual([
      ...["token_embd.weight", "blk.0.ffn_down.weight", "blk.0.attn_norm.weight"],
      ...["output.weight", "blk.1.ffn_down.weight"],
    ]);
    const refused = await runCli(...args.slice(0, 5), "--prune-layers", "9");
    expect(refused.status).toBe(3);
    expect(refused.stderr).toMatch(/no layer 9; the model has layers 0 to 2/);
  });
});
