import type * as Promises from "node:fs/promises";
import { readdirSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { exitStatus, type NibbleErrorCode } from "../../src/errors.js";
import { buildGguf, type BuiltFile } from "../helpers/gguf-builder.js";
import {
  buildHfDirectory,
  tinyConfig,
  tinyTokenizer,
  type HfFiles,
} from "../helpers/hf-builder.js";
import { randomWeights } from "../helpers/random.js";
import { runCli } from "../helpers/run-cli.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const freeBlocks = vi.hoisted(() => ({ bavail: undefined as number | undefined }));
vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof Promises>();
  const statfs = async (path: string) => {
    const real = await original.statfs(path);
    return freeBlocks.bavail === undefined ? real : { ...real, ...freeBlocks };
  };
  return { ...original, statfs };
});
afterEach(() => {
  freeBlocks.bavail = undefined;
});

const file = temporaryFolder();
const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer);
const matrix = { name: "blk.0.ffn_up.weight", type: "F32", shape: [256, 8] };
const good: BuiltFile = { tensors: [{ ...matrix, data: bytesOf(randomWeights(2048, 1)) }] };

function gguf(built: BuiltFile | Uint8Array): string {
  writeFileSync(file("model.gguf"), built instanceof Uint8Array ? built : buildGguf(built));
  return file("model.gguf");
}

let folders = 0;
function directory(files: HfFiles): string {
  folders += 1;
  return buildHfDirectory(file(`folder-${folders}`), files);
}

const withNaN = randomWeights(2048, 1);
withNaN[77] = NaN;
const key = { key: "k", type: "u8", value: 1 };
const out = file("out.gguf");

/** What is wrong, the code, what the terminal says, and the command line. */
const rows: readonly (readonly [string, NibbleErrorCode, RegExp, () => string[]])[] = [
  [
    "a cut header",
    "ERR_FORMAT",
    /fetch it again/,
    () => [gguf(buildGguf(good).subarray(0, 60)), out],
  ],
  ["a wrong magic", "ERR_FORMAT", /does not begin with GGUF/, () => [gguf({ magic: "GGML" }), out]],
  ["big-endian", "ERR_UNSUPPORTED", /big-endian/, () => [gguf({ version: 3 << 24 }), out]],
  [
    "2^63 tensors",
    "ERR_FORMAT",
    /9223372036854775808/,
    () => [gguf({ tensorCount: 2n ** 63n }), out],
  ],
  [
    "overlapping tensors",
    "ERR_FORMAT",
    /overlaps/,
    () => [gguf({ tensors: [matrix, { ...matrix, name: "b", offset: 0 }] }), out],
  ],
  [
    "a misaligned tensor",
    "ERR_FORMAT",
    /multiple of 32/,
    () => [gguf({ tensors: [{ ...matrix, offset: 4 }] }), out],
  ],
  [
    "an unknown tensor type",
    "ERR_UNSUPPORTED",
    /type 99/,
    () => [gguf({ tensors: [{ ...matrix, type: 99 }] }), out],
  ],
  [
    "a nested array",
    "ERR_FORMAT",
    /array of arrays/,
    () => [gguf({ metadata: [{ key: "k", type: "array", elementType: "array", value: [] }] }), out],
  ],
  ["a key twice", "ERR_FORMAT", /twice/, () => [gguf({ metadata: [key, key] }), out]],
  [
    "a safetensors header that lies",
    "ERR_FORMAT",
    /header length/,
    () => [directory({ files: { "model.safetensors": new Uint8Array(8).fill(255) } }), out],
  ],
  [
    "a missing shard",
    "ERR_IO",
    /a shard of the model is missing; download m-2\.safetensors/,
    () => [
      directory({
        without: ["model.safetensors"],
        files: { "model.safetensors.index.json": '{"weight_map":{"a":"m-2.safetensors"}}' },
      }),
      out,
    ],
  ],
  [
    "no config.json",
    "ERR_ARGUMENT",
    /config\.json/,
    () => [directory({ without: ["config.json"] }), out],
  ],
  [
    "an unknown architecture",
    "ERR_UNSUPPORTED",
    /MambaForCausalLM/,
    () => [directory({ config: { ...tinyConfig, architectures: ["MambaForCausalLM"] } }), out],
  ],
  [
    "a tokenizer that cannot be converted",
    "ERR_UNSUPPORTED",
    /WordPiece/,
    () => [directory({ tokenizer: { ...tinyTokenizer, model: { type: "WordPiece" } } }), out],
  ],
  [
    "NaN in the weights",
    "ERR_FORMAT",
    /row 0, column 77 is NaN/,
    () => [gguf({ tensors: [{ ...matrix, data: bytesOf(withNaN) }] }), out],
  ],
  [
    "a full disk",
    "ERR_IO",
    /free/,
    () => {
      freeBlocks.bavail = 0;
      return [gguf(good), out];
    },
  ],
  [
    "an output that exists",
    "ERR_ARGUMENT",
    /--overwrite/,
    () => {
      writeFileSync(file("there.gguf"), "precious");
      return [gguf(good), file("there.gguf")];
    },
  ],
  [
    "an output that is the input",
    "ERR_ARGUMENT",
    /input/,
    () => [gguf(good), file("model.gguf"), "--overwrite"],
  ],
  [
    "an unknown type",
    "ERR_ARGUMENT",
    /did you mean Q4_0/,
    () => [gguf(good), out, "--type", "q4-0"],
  ],
  [
    "an invalid regex",
    "ERR_ARGUMENT",
    /--tensor-type/,
    () => [gguf(good), out, "--tensor-type", "ffn(=Q8_0"],
  ],
  [
    "an override without a type",
    "ERR_ARGUMENT",
    /REGEX=TYPE/,
    () => [gguf(good), out, "--tensor-type", "ffn_up"],
  ],
  ["threads of 0", "ERR_ARGUMENT", /--threads/, () => [gguf(good), out, "--threads", "0"]],
  ["a model that is not there", "ERR_IO", /no such file/, () => [file("nothing.gguf"), out]],
  ["an option that is not there", "ERR_ARGUMENT", /--help/, () => [gguf(good), out, "--fast"]],
];

describe("nibble quantize refuses", () => {
  it.each(rows)("%s", async (_what, code, says, setup) => {
    const args = setup();
    const type = args.includes("--type") ? [] : ["--type", "Q8_0"];
    const { stdout, stderr, status } = await runCli("quantize", ...args, ...type, "--quiet");
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^nibble: [^\n]+\n$/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe("");
    expect(status).toBe(exitStatus[code]);
    expect(readdirSync(file(".")).filter((name) => /out|partial|journal/.test(name))).toEqual([]);
  });

  it("nothing where a regex matches nothing: that is a warning", async () => {
    const args = [gguf(good), file("warned.gguf"), "--type", "Q8_0", "--tensor-type", "ssm=Q4_0"];
    const { stderr, status } = await runCli("quantize", ...args, "--quiet");
    expect(status).toBe(0);
    expect(stderr).toMatch(/warning:.*ssm.*\n$/);
  });
});
