import { existsSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exitStatus, type NibbleErrorCode } from "../../src/errors.js";
import { writeImportanceMatrix } from "../../src/imatrix/file.js";
import type { BuiltTensor } from "../helpers/gguf-builder.js";
import { importanceEntry, importanceMatrix } from "../helpers/imatrix-builder.js";
import { embeddedModel } from "../helpers/embedded-model.js";
import { runCli } from "../helpers/run-cli.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { tinyModel, writeTinyModel } from "../helpers/tiny-model.js";

const file = temporaryFolder();
const tiny = tinyModel();
const other = tinyModel({ vocabulary: 290 });
const text = file("text.txt");
writeFileSync(text, "a text that is long enough for some windows ".repeat(20));
writeFileSync(file("short.txt"), "short");
writeFileSync(file("binary.txt"), Buffer.from([0xff, 0xfe, 0x80]));
const out = file("out");

let models = 0;
const write = (changes?: Parameters<typeof writeTinyModel>[2], model = tiny): string =>
  writeTinyModel(file(`model-${(models += 1)}.gguf`), model, changes);

const good = write();
const without = (name: string): string =>
  write({ tensors: tiny.built.filter((tensor) => tensor.name !== name) });
const changed = (name: string, change: Partial<BuiltTensor>): string =>
  write({
    tensors: tiny.built.map((tensor) => (tensor.name === name ? { ...tensor, ...change } : tensor)),
  });
const metadata = (key: string, value: unknown): string =>
  write({
    metadata: tiny.metadata.map((entry) => (entry.key === key ? { ...entry, value } : entry)),
  });

const up = "blk.1.ffn_up.weight";
const halved = { shape: [64, 48], data: new Uint8Array(64 * 48 * 4) };
const damaged = (tiny.built.find(({ name }) => name === up)?.data ?? new Uint8Array()).slice();
new Float32Array(damaged.buffer).fill(NaN);

const measure = ["--text", text, "--ctx-size", "32"];
const say = ["--prompt", "a"];

/** What is wrong, the code, what the terminal says, and the command line. */
type Row = readonly [string, NibbleErrorCode, RegExp, () => readonly string[]];

const badModels: readonly Row[] = [
  ["a missing tensor", "ERR_FORMAT", /blk\.1\.ffn_up\.weight/, () => [without(up)]],
  [
    "a misshaped tensor",
    "ERR_FORMAT",
    /ffn_up\.weight is \[64, 48\].*\[64, 96\]/,
    () => [changed(up, halved)],
  ],
  [
    "an architecture that only the other engine may have",
    "ERR_UNSUPPORTED",
    /mamba; try --engine llama\.cpp/,
    () => [metadata("general.architecture", "mamba")],
  ],
  [
    "heads that do not fit",
    "ERR_FORMAT",
    /head_count/,
    () => [metadata("llama.attention.head_count", 7)],
  ],
  ["a Hugging Face directory", "ERR_ARGUMENT", /nibble quantize/, () => [embeddedModel]],
  ["a file that is no model", "ERR_FORMAT", /does not begin with GGUF/, () => [text]],
  ["a file that is not there", "ERR_IO", /no such file/, () => [file("none.gguf")]],
];

const runs: readonly (readonly [string, readonly string[]])[] = [
  ["perplexity", measure],
  ["imatrix", [...measure, "--output", out]],
  ["generate", say],
  ["bench", ["-p", "4", "-n", "0", "-r", "1"]],
  ["chat", ["--chat-template", "chatml"]],
];

async function refused(line: readonly string[], code: NibbleErrorCode, says: RegExp) {
  const { stdout, stderr, status } = await runCli(...line, "--quiet");
  expect(stderr).toMatch(says);
  expect(stderr).toMatch(/^nibble: [^\n]+\n$/);
  expect(stdout).toBe("");
  expect(status).toBe(exitStatus[code]);
  expect(existsSync(out)).toBe(false);
}

describe.each(runs)("nibble %s refuses", (command, options) => {
  it.each(badModels)("%s", async (_what, code, says, setup) => {
    await refused([command, ...setup(), ...options], code, says);
  });
});

const save = ["--save-reference", out];
const rows: readonly Row[] = [
  [
    "a text shorter than one window",
    "ERR_ARGUMENT",
    /32 tokens/,
    () => [...["perplexity", good, "--text", file("short.txt"), "--ctx-size", "32", ...save]],
  ],
  [
    "the same for imatrix",
    "ERR_ARGUMENT",
    /32 tokens/,
    () => [...["imatrix", good, "--text", file("short.txt"), "--ctx-size", "32", "-o", out]],
  ],
  [
    "a context longer than the model's",
    "ERR_ARGUMENT",
    /contextLength.*4096/,
    () => [...["perplexity", good, "--text", text, "--ctx-size", "4097"]],
  ],
  [
    "the same for imatrix",
    "ERR_ARGUMENT",
    /contextLength.*4096/,
    () => [...["imatrix", good, "--text", text, "--ctx-size", "4097", "-o", out]],
  ],
  [
    "the same for chat",
    "ERR_ARGUMENT",
    /contextLength.*4096/,
    () => [...["chat", good, "--chat-template", "chatml", "--ctx-size", "4097"]],
  ],
  [
    "a reference of another vocabulary",
    "ERR_ARGUMENT",
    /290 tokens instead of 300/,
    () => [...["perplexity", good, ...measure, "--reference", write({}, other)]],
  ],
  [
    "a reference file that is none",
    "ERR_FORMAT",
    /reference file/,
    () => [...["perplexity", good, ...measure, "--load-reference", text]],
  ],
  [
    "two references",
    "ERR_ARGUMENT",
    /one of reference/,
    () => [...["perplexity", good, ...measure, "--reference", good, ...save]],
  ],
  [
    "references on the other engine",
    "ERR_UNSUPPORTED",
    /--engine native/,
    () => [...["perplexity", good, ...measure, "--engine", "llama.cpp", "-t", "1", ...save]],
  ],
  [
    "weights that make NaN",
    "ERR_UNSUPPORTED",
    /NaN/,
    () => [...["perplexity", changed(up, { data: damaged }), ...measure]],
  ],
  [
    "the same for a reference",
    "ERR_UNSUPPORTED",
    /NaN/,
    () => [...["perplexity", good, ...measure, "--reference", changed(up, { data: damaged })]],
  ],
  [
    "the same for imatrix",
    "ERR_UNSUPPORTED",
    /NaN/,
    () => [...["imatrix", changed(up, { data: damaged }), ...measure, "-o", out]],
  ],
  [
    "a text that is not there",
    "ERR_IO",
    /no such file/,
    () => [...["perplexity", good, "--text", file("none.txt")]],
  ],
  [
    "an engine that is none",
    "ERR_ARGUMENT",
    /--engine: expected native or llama\.cpp/,
    () => [...["perplexity", good, ...measure, "--engine", "cuda"]],
  ],
  [
    "a cache that is none",
    "ERR_ARGUMENT",
    /--cache-type: expected F16 or Q8_0/,
    () => [...["generate", good, ...say, "--cache-type", "q4_0"]],
  ],
  [
    "a cache that heads of 16 do not fit",
    "ERR_ARGUMENT",
    /heads are 16 values/,
    () => [...["generate", good, ...say, "--cache-type", "q8_0"]],
  ],
  [
    "a negative top-k",
    "ERR_ARGUMENT",
    /top-?k/i,
    () => ["generate", good, ...say, "--top-k", "-1"],
  ],
  ["a top-p of 2", "ERR_ARGUMENT", /top-?p/i, () => ["generate", good, ...say, "--top-p", "2"]],
  ["a negative seed", "ERR_ARGUMENT", /--seed/, () => ["generate", good, ...say, "--seed", "-1"]],
  ["an empty stop", "ERR_ARGUMENT", /stop/, () => ["generate", good, ...say, "--stop", ""]],
  ["an empty prompt", "ERR_ARGUMENT", /--prompt/, () => ["generate", good, "--prompt", ""]],
  ["a model that has no template", "ERR_UNSUPPORTED", /--chat-template/, () => ["chat", good]],
  [
    "a template that is none",
    "ERR_ARGUMENT",
    /chatml.* or a file/,
    () => [...["chat", good, "--chat-template", "nonsense"]],
  ],
  ["no test at all", "ERR_ARGUMENT", /--n-gen/, () => ["bench", good, "-p", "0", "-n", "0"]],
  [
    "a pre-tokenizer that is none",
    "ERR_ARGUMENT",
    /nonsense/,
    () => [...["tokenize", embeddedModel, ...say, "--pre", "nonsense"]],
  ],
];

describe("nibble refuses", () => {
  it.each(rows)("%s", (_what, code, says, setup) => refused(setup(), code, says));

  it("an importance matrix of another model to merge with, before it runs the model", async () => {
    const foreign = file("foreign.gguf");
    const entry = importanceEntry("blk.0.attn_q.weight", [[1, 2]]);
    await writeImportanceMatrix(foreign, importanceMatrix([entry]));
    const line = ["imatrix", good, ...measure, "--in-file", foreign, "-o", out];
    await refused(line, "ERR_PLAN", /attn_q/);
  });
});
