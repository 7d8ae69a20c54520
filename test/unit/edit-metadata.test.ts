import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { editMetadata, type EditMetadataOptions } from "../../src/quantize/edit-metadata.js";
import { hashModel } from "../../src/quantize/hash-model.js";
import { splitModel } from "../../src/quantize/split-model.js";
import type { MetadataEntry } from "../../src/sources/model-info.js";
import { readGguf } from "../../src/sources/gguf.js";
import { buildGguf, type BuiltEntry } from "../helpers/gguf-builder.js";
import { randomWeights } from "../helpers/random.js";
import { runCli } from "../helpers/run-cli.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

const template = "{{ a }}\n\t{{ 'b' }}\u001b[2J";
const metadata: readonly BuiltEntry[] = [
  { key: "general.architecture", type: "string", value: "llama" },
  { key: "general.name", type: "string", value: "Old" },
  { key: "llama.block_count", type: "u32", value: 2 },
  { key: "tokenizer.chat_template", type: "string", value: template },
  { key: "some.numbers", type: "array", elementType: "u32", value: [...Array(20).keys()] },
];

const model = file("model.gguf");
const { buffer } = Float32Array.from(randomWeights(107, 1));
const tensors = ["a", "b", "c"].map((name) => ({
  ...{ name, type: "F32", shape: [107] },
  data: new Uint8Array(buffer),
}));
writeFileSync(model, buildGguf({ metadata, tensors }));
const original = readFileSync(model);

const edit = (output: string, options: Partial<EditMetadataOptions>, path = model) =>
  editMetadata(path, { output: file(output), ...options });

async function failure(promise: Promise<unknown>): Promise<[string, string]> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isNibbleError(error) ? [error.code, error.message] : ["none", String(error)];
}

const name = (value: string): MetadataEntry => ({ key: "general.name", type: "string", value });

describe("editMetadata", () => {
  it("sets in place, appends what is new, removes, and copies the tensors", async () => {
    const added: MetadataEntry = { key: "new.key", type: "f64", value: 0.1 };
    const set = [added, name("New")];
    const report = await edit("edited.gguf", { set, remove: ["some.numbers"] });
    const output = file("edited.gguf");
    expect(report.bytes).toBe(readFileSync(output).length);
    expect(report).toMatchObject({ output, set, removed: ["some.numbers"], written: true });
    const { metadata: edited } = await readGguf(output);
    expect(edited).toEqual([metadata[0], name("New"), metadata[2], metadata[3], added]);
    expect((await hashModel(output)).tensors).toEqual((await hashModel(model)).tensors);
    expect(readFileSync(model).equals(original)).toBe(true);
  });

  it("changes a type, and the file back to what it was", async () => {
    const set: MetadataEntry[] = [{ key: "general.name", type: "u8", value: 5 }];
    await edit("there.gguf", { set });
    await edit("back.gguf", { set: [name("Old")] }, file("there.gguf"));
    expect(readFileSync(file("back.gguf")).equals(original)).toBe(true);
  });

  it("keeps bytes that are no valid UTF-8", async () => {
    const odd = Buffer.from(original);
    odd[odd.indexOf("Old")] = 0xff;
    writeFileSync(file("odd.gguf"), odd);
    const added: MetadataEntry = { key: "new.key", type: "u8", value: 1 };
    await edit("odd-added.gguf", { set: [added] }, file("odd.gguf"));
    await edit("odd-again.gguf", { remove: ["new.key"] }, file("odd-added.gguf"));
    expect(readFileSync(file("odd-again.gguf")).equals(odd)).toBe(true);
  });

  it("lays the tensors out anew where the alignment is set", async () => {
    const set: MetadataEntry[] = [{ key: "general.alignment", type: "u32", value: 128 }];
    await edit("aligned.gguf", { set });
    const { tensors: placed } = await readGguf(file("aligned.gguf"));
    expect(placed.every(({ pieces: [piece] }) => piece!.offset % 128 === 0)).toBe(true);
    expect((await hashModel(file("aligned.gguf"))).sha256).toBe((await hashModel(model)).sha256);
  });

  it("makes one file of a split model", async () => {
    const { parts } = await splitModel(model, { prefix: file("parts"), maxTensors: 2 });
    await edit("of-parts.gguf", { set: [name("Old")] }, parts[0]!.path);
    expect(readFileSync(file("of-parts.gguf")).equals(original)).toBe(true);
  });

  const refused: readonly (readonly [Partial<EditMetadataOptions>, string, RegExp])[] = [
    [{ remove: ["general.nam"] }, "ERR_ARGUMENT", /did you mean general\.name\?/],
    [{ remove: ["general.name", "general.name"] }, "ERR_ARGUMENT", /every key once/],
    [{ set: [name("a")], remove: ["general.name"] }, "ERR_ARGUMENT", /every key once/],
    [{ set: [{ key: "split.no", type: "u16", value: 1 }] }, "ERR_ARGUMENT", /nibble split/],
    [{ set: [{ key: "k", type: "u8", value: 256 }] }, "ERR_ARGUMENT", /values of their types/],
    [{ set: [{ key: "k", type: "u8", value: [1] }] }, "ERR_ARGUMENT", /values of their types/],
    [
      { set: [{ key: "llama.block_count", type: "u32", value: 100_000 }] },
      "ERR_FORMAT",
      /block_count/,
    ],
    [
      { set: [{ key: "general.alignment", type: "u32", value: 24 }] },
      "ERR_UNSUPPORTED",
      /power of two/,
    ],
    [{ set: [name("a")], output: model, overwrite: true }, "ERR_ARGUMENT", /one of the inputs/],
  ];
  it.each(refused)("refuses %o and leaves no file", async (options, code, message) => {
    const before = readdirSync(dirname(model));
    expect(await failure(edit("refused.gguf", options))).toEqual([
      code,
      expect.stringMatching(message),
    ]);
    expect(readdirSync(dirname(model))).toEqual(before);
    expect(readFileSync(model).equals(original)).toBe(true);
  });
});

describe("nibble metadata", () => {
  it("shows keys with arrays shortened, and one value whole", async () => {
    const { stdout } = await runCli("metadata", model);
    expect(stdout).toMatch(/some\.numbers +\| u32\[20\] +\| 0, 1, 2, 3, 4, 5, 6, 7, \.\.\./);
    const numbers = await runCli("metadata", model, "--key", "some.numbers");
    expect(numbers.stdout).toBe(`${[...Array(20).keys()].join("\n")}\n`);
    const text = await runCli("metadata", model, "--key", "tokenizer.chat_template");
    expect(text.stdout).toBe("{{ a }}\n\t{{ 'b' }}\\u001b[2J\n");
    const json = await runCli("metadata", model, "--key", "tokenizer.chat_template", "--json");
    expect(JSON.parse(json.stdout)).toEqual(metadata[3]);
    const all = await runCli("metadata", model, "--json");
    expect(JSON.parse(all.stdout)).toEqual(metadata);
  });

  it("writes a copy", async () => {
    const output = file("cli.gguf");
    const edits = ["--set", "general.name=string:A = b: c", "--remove", "some.numbers"];
    const dry = await runCli("metadata", model, ...edits, "-o", output, "--dry-run");
    expect(dry.stdout).toMatch(/^would write .*keys: 1 set, 1 removed/);
    expect(existsSync(output)).toBe(false);
    expect((await runCli("metadata", model, ...edits, "--output", output)).status).toBe(0);
    const { stdout } = await runCli("metadata", output, "--key", "general.name");
    expect(stdout).toBe("A = b: c\n");
    const again = await runCli("metadata", model, ...edits, "--output", output);
    expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining("--overwrite") });
  });

  it.each([
    [["--key", "general.nome"], /did you mean general\.name\?/],
    [["--set", "a=u8:1"], /--output is missing/],
    [["--output", "x.gguf"], /--set is missing/],
    [["--set", "a=u9:1", "--output", "x.gguf"], /one of u8/],
    [["--key", "a", "--remove", "b"], /key and remove are mutually exclusive/],
  ])("%j is refused", async (options, message) => {
    const { status, stderr } = await runCli("metadata", model, ...options);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});
