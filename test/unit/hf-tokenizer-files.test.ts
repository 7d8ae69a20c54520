import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { readTokenizer } from "../../src/sources/hf-tokenizer.js";
import { JsonFile } from "../../src/sources/json-file.js";
import type { MetadataEntry } from "../../src/sources/model-info.js";
import { parseSentencePiece } from "../../src/sources/sentencepiece-model.js";
import { parseTiktoken } from "../../src/sources/tiktoken-ranks.js";
import { tinyTokenizer, tinyTokenizerConfig } from "../helpers/hf-builder.js";
import { randomSource } from "../helpers/random.js";
import { buildSentencePiece, varint, type BuiltModel } from "../helpers/sentencepiece-builder.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
let count = 0;

type Content = string | Uint8Array | object;
interface Given {
  readonly files: Readonly<Record<string, Content>>;
  readonly architecture?: string;
  readonly rows?: number;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly pre?: string;
}

function write(folder: string, files: Given["files"]): void {
  for (const [name, content] of Object.entries(files)) {
    const isPlain = typeof content === "string" || content instanceof Uint8Array;
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), isPlain ? content : JSON.stringify(content));
  }
}

async function read(given: Given): Promise<Record<string, MetadataEntry["value"]>> {
  const { files, architecture = "llama", rows = 16, config = {}, pre } = given;
  const path = file(`tokenizer-${(count += 1)}`);
  mkdirSync(path);
  write(path, files);
  const metadata = await readTokenizer({
    ...{ path, fileNames: readdirSync(path), architecture, rows, pre },
    config: new JsonFile(`${path}/config.json`, config),
  });
  return Object.fromEntries(
    metadata.map(({ key, value }) => [key.replace(/^tokenizer\.(ggml\.)?/, ""), value]),
  );
}

const pieces = [
  { text: "<unk>", score: 0, type: 2 },
  { text: "<s>", score: 0, type: 3 },
  { text: "</s>", score: 0, type: 3 },
  { text: "<0x41>", score: 0, type: 6 },
  { text: "\u2581a", score: -1.5, type: 1 },
  { text: "user", score: -2, type: 4 },
  { text: "gone", score: -3, type: 5 },
];
const spm = (model: Partial<BuiltModel> = {}) => buildSentencePiece({ pieces, ...model });

describe("tokenizer.model", () => {
  it("becomes pieces, types and scores, filled up to the rows", async () => {
    expect(await read({ files: { "tokenizer.model": spm() }, rows: 8 })).toEqual({
      model: "llama",
      pre: "default",
      tokens: [...pieces.map(({ text }) => text), "[PAD7]"],
      scores: [0, 0, 0, 0, -1.5, -2, -3, -10000],
      token_type: [2, 3, 3, 6, 1, 1, 5, 5],
    });
  });

  it("has the added tokens on top, and drops those beyond the rows", async () => {
    const files = {
      "tokenizer.model": spm(),
      "added_tokens.json": { far: 99, mine: 5 },
      "tokenizer_config.json": {
        added_tokens_decoder: {
          4: { content: "<|x|>", special: false },
          5: { content: "\u2581y", special: false },
          6: { content: "z", special: true },
          70: { content: "beyond" },
        },
      },
      "tokenizer.json": tinyTokenizer,
    };
    const llama = await read({ files, rows: 7 });
    expect(llama["tokens"]).toEqual(["<unk>", "<s>", "</s>", "<0x41>", "<|x|>", " y", "z"]);
    expect(llama["token_type"]).toEqual([2, 3, 3, 6, 3, 4, 3]);
    expect(llama["scores"]).toEqual([0, 0, 0, 0, -1000, -1000, -1000]);
    // Phi-3's own way: flags count, not texts, and tokenizer.json's tokens too.
    const phi = await read({ files, rows: 7, architecture: "phi3" });
    expect(phi["tokens"]).toEqual(["<s>", "</s>", "</s>", "<0x41>", "<|x|>", "\u2581y", "z"]);
    expect(phi["token_type"]).toEqual([3, 3, 3, 6, 4, 4, 3]);
  });

  it("counts before tokenizer.json where upstream takes it first, else behind", async () => {
    const files = { "tokenizer.model": spm(), "tokenizer.json": tinyTokenizer };
    for (const architecture of ["llama", "gemma", "gemma2", "gemma3", "phi3", "qwen2", "granite"]) {
      expect(await read({ files, architecture }), architecture).toMatchObject({ model: "llama" });
    }
    for (const architecture of ["gpt2", "falcon", "olmo2", "qwen2moe", "toString"]) {
      expect(await read({ files, architecture }), architecture).toMatchObject({ model: "gpt2" });
    }
    const phi4 = { ...files, "tokenizer_config.json": { tokenizer_class: "GPT2Tokenizer" } };
    expect(await read({ files: phi4, architecture: "phi3" })).toMatchObject({ model: "gpt2" });
  });

  it("says whether a space goes before a text", async () => {
    const of = async (model: Partial<BuiltModel>, architecture: string, config = {}) => {
      const files = { "tokenizer.model": spm(model), "tokenizer_config.json": config };
      return (await read({ files, architecture }))["add_space_prefix"];
    };
    expect(await of({}, "llama")).toBeUndefined();
    expect(await of({ addDummyPrefix: false }, "llama")).toBe(false);
    expect(await of({}, "llama", { add_prefix_space: true })).toBe(true);
    expect(await of({}, "qwen2", { add_prefix_space: true })).toBeUndefined();
    expect(await of({}, "gemma3")).toBe(false);
  });

  it("is read with all its flags", () => {
    const bytes = spm({ kind: 1, removeExtraWhitespaces: true, charsmap: Uint8Array.of(1, 2) });
    expect(parseSentencePiece("m", bytes)).toMatchObject({
      kind: "unigram",
      addDummyPrefix: true,
      removeExtraWhitespaces: true,
      precompiledCharsmap: Uint8Array.of(1, 2),
      ids: { unk: 0, bos: 1, eos: 2, pad: undefined },
    });
  });

  it("that is hostile is refused as damaged, whatever byte it is", () => {
    const bytes = spm();
    const random = randomSource(5);
    const attempt = (mutated: Buffer): void => {
      try {
        parseSentencePiece("m", mutated);
      } catch (error) {
        expect(isNibbleError(error, "ERR_FORMAT"), String(error)).toBe(true);
      }
    };
    for (let length = 0; length < bytes.length; length += 1) attempt(bytes.subarray(0, length));
    for (let round = 0; round < 5000; round += 1) {
      const mutated = Buffer.from(bytes);
      for (let i = 0; i <= round % 4; i += 1) {
        mutated[Math.floor(random() * mutated.length)] = Math.floor(random() * 256);
      }
      attempt(mutated);
    }
  });

  const piece = (...fields: Buffer[]): Buffer => {
    const all = Buffer.concat(fields);
    return Buffer.concat([varint(10), varint(all.length), all]);
  };
  const text = (content: Uint8Array): Buffer =>
    Buffer.concat([varint(10), varint(content.length), content]);
  const floatField = (value: number): Buffer => {
    const bytes = Buffer.alloc(5, 0x15);
    bytes.writeFloatLE(value, 1);
    return bytes;
  };
  const a = Buffer.from("a");

  it.each<readonly [string, Buffer, RegExp]>([
    ["nothing", Buffer.alloc(0), /pieces: are missing/],
    ["a length beyond the file", Buffer.from([10, 0xff, 0xff, 0xff, 0xff, 0x0f]), /are left/],
    ["a length of 2^63", Buffer.from([10, ...Array<number>(9).fill(0xff), 1]), /are left/],
    ["an endless number", Buffer.alloc(32, 0xff), /more than 10 bytes/],
    ["a number that is cut", Buffer.from([0x80]), /cut within a number/],
    ["field 0", Buffer.from([0, 0]), /field of number 0/],
    ["a group", Buffer.from([11]), /wire type 3/],
    ["a piece that is a number", Buffer.from([8, 1]), /piece 0: is a number/],
    ["a piece without text", piece(), /has no text/],
    ["a text that is no UTF-8", piece(text(Buffer.from([0xff]))), /not UTF-8/],
    ["a score that is not finite", piece(text(a), floatField(NaN)), /score NaN/],
    ["a type that there is not", piece(text(a), Buffer.from([24, 7])), /type 7/],
    ["no unknown token", piece(text(a)), /have 0 unknown tokens/],
  ])("%s is damage", (_, bytes, says) => {
    expect(thrown(() => parseSentencePiece("m", bytes))).toMatchObject({
      code: "ERR_FORMAT",
      details: { path: "m" },
      message: expect.stringMatching(says) as string,
    });
  });
});

describe("lists", () => {
  const lists = {
    "vocab.json": { a: 0, b: 1, ab: 2, "<|endoftext|>": 3, "\u0120": 4 },
    "merges.txt": "#version: 0.2\na b\n\n",
  };

  it("of vocab.json and merges.txt are GPT-2's kind", async () => {
    expect(await read({ files: lists, rows: 6, architecture: "gpt2" })).toEqual({
      model: "gpt2",
      pre: "gpt-2",
      tokens: ["a", "b", "ab", "<|endoftext|>", "\u0120", "[PAD5]"],
      token_type: [1, 1, 1, 3, 1, 5],
      merges: ["a b"],
    });
    const files = { ...lists, "tokenizer_config.json": { tokenizer_class: "Qwen2Tokenizer" } };
    expect(await read({ files, rows: 6 })).toMatchObject({ pre: "qwen2" });
  });

  it("of vocab.json alone are not enough", async () => {
    const files = { "vocab.json": lists["vocab.json"] };
    await expect(read({ files })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringMatching(/needs merges\.txt/) as string,
    });
  });

  const encode = (...tokens: string[]): string =>
    tokens.map((token, rank) => `${Buffer.from(token).toString("base64")} ${rank}\n`).join("");

  it("of tiktoken give the merges that made their tokens", () => {
    const tokens = encode("a", "b", "c", "ab", "abc", " ", "xyz", " a");
    const { ids, merges } = parseTiktoken("t", Buffer.from(tokens));
    expect([...ids.keys()]).toEqual(["a", "b", "c", "ab", "abc", "\u0120", "xyz", "\u0120a"]);
    // No earlier tokens make "xyz": it is reached only as a whole.
    expect(merges).toEqual([
      ["a", "b"],
      ["ab", "c"],
      ["\u0120", "a"],
    ]);
  });

  it("of tiktoken are found by either name, and ask for --pre", async () => {
    for (const name of ["tokenizer.model", "some.tiktoken"]) {
      const files = { [name]: encode("a", "b", "ab") };
      await expect(read({ files })).rejects.toMatchObject({
        code: "ERR_UNSUPPORTED",
        message: expect.stringMatching(/--pre/) as string,
      });
      expect(await read({ files, rows: 3, pre: "qwen2" })).toMatchObject({
        pre: "qwen2",
        tokens: ["a", "b", "ab"],
        merges: ["a b"],
      });
    }
  });

  it.each([
    ["a line without rank", "YQ== 0\nYg==\n", /line 2: is no token/],
    ["a rank that is no number", "YQ== x\n", /line 1: is no token/],
    ["a token twice", "YQ== 0\nYQ== 1\n", /line 2: has a token for the second time/],
    ["a rank twice", "YQ== 0\nYg== 0\n", /line 2: has the rank 0/],
  ])("of tiktoken with %s are damage", (_, list, says) => {
    expect(thrown(() => parseTiktoken("t", Buffer.from(list)))).toMatchObject({
      code: "ERR_FORMAT",
      message: expect.stringMatching(says) as string,
    });
  });

  it("with a rank beyond the rows are damage", async () => {
    const files = { "x.tiktoken": "YQ== 999999999\n" };
    await expect(read({ files, pre: "qwen2" })).rejects.toMatchObject({ code: "ERR_FORMAT" });
  });
});

describe("tokenizer.json", () => {
  const unigram = {
    added_tokens: [{ id: 0, content: "<pad>", special: true }],
    normalizer: { type: "Precompiled", precompiled_charsmap: "AQID" },
    pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" },
    model: {
      type: "Unigram",
      unk_id: 1,
      vocab: [
        ["<pad>", 0],
        ["<unk>", -1],
        ["\u2581a", -2.5],
      ],
    },
  };

  it("of a Unigram model is llama.cpp's t5", async () => {
    expect(await read({ files: { "tokenizer.json": unigram }, rows: 4 })).toEqual({
      model: "t5",
      pre: "default",
      tokens: ["<pad>", "<unk>", "\u2581a", "[PAD3]"],
      scores: [0, -1, -2.5, -10000],
      token_type: [3, 2, 1, 5],
      add_space_prefix: true,
      remove_extra_whitespaces: true,
      precompiled_charsmap: [1, 2, 3],
    });
    const { type, ...untyped } = unigram.model;
    expect(type).toBe("Unigram");
    const older = { ...unigram, model: untyped };
    expect(await read({ files: { "tokenizer.json": older }, rows: 4 })).toMatchObject({
      model: "t5",
    });
  });

  it("takes roles from tokenizer_config.json, and tokens that look special for control tokens", async () => {
    const added = ["<|tool|>", "<mask>", "<unused7>", "\u2581\u2581", "plain"];
    const added_tokens = added.map((content, i) => ({ id: 11 + i, content, special: false }));
    const tokenizer_config = { ...tinyTokenizerConfig, unk_token: "a" };
    const files = {
      "tokenizer.json": { ...tinyTokenizer, added_tokens },
      "tokenizer_config.json": tokenizer_config,
    };
    const { tokens, token_type } = await read({ files });
    expect((tokens as string[]).slice(11)).toEqual([...added.slice(0, 3), "  ", "plain"]);
    expect(token_type).toEqual([3, 3, 1, 3, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 4, 4]);
  });

  it("whose damage is anywhere gives typed errors only, and so does tokenizer_config.json's", async () => {
    const part = { SpecialToken: { id: "<s>", type_id: 0 } };
    const single = [part, { Sequence: { id: "A", type_id: 0 } }];
    const split = { type: "Split", pattern: { Regex: "a+|b" }, behavior: "Isolated" };
    const replace = { type: "Replace", pattern: { String: "c" }, content: "d" };
    const whole = {
      "tokenizer.json": {
        ...tinyTokenizer,
        normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, replace] },
        pre_tokenizer: { type: "Sequence", pretokenizers: [split, tinyTokenizer.pre_tokenizer] },
        post_processor: {
          type: "Sequence",
          processors: [{ type: "TemplateProcessing", single, pair: [...single, part] }],
        },
      },
      "tokenizer_config.json": {
        ...tinyTokenizerConfig,
        add_prefix_space: false,
        added_tokens_decoder: { 1: { content: "</s>", special: true } },
      },
    };
    const odd = [null, -1, 1e99, "x", "", [], {}, true, [[]], [null], { type: 3 }, { id: {} }];
    let refused = 0;
    // The vocabulary's many entries are alike.
    const isAlike = (path: readonly string[]): boolean =>
      /vocab\/(?!<s>$)|merges\/(?!0$)|added_tokens\/1/.test(path.join("/"));
    for (const path of paths(whole).filter((one) => !isAlike(one))) {
      for (const value of path.length === 1 ? odd.slice(6, 7) : odd) {
        const files = replaced(whole, path, value) as Given["files"];
        const error = await read({ files }).catch((reason: unknown) => reason);
        if (!(error instanceof Error)) continue;
        refused += 1;
        expect(isNibbleError(error), `${path.join()} ${String(error.stack)}`).toBe(true);
      }
    }
    expect(refused).toBeGreaterThan(100);
  }, 30_000);
});

describe("chat templates", () => {
  const files = { "tokenizer.model": spm(), "tokenizer_config.json": {} };

  it("may lie in chat_template.json, or in several files", async () => {
    const json = { ...files, "chat_template.json": { chat_template: "J" } };
    expect(await read({ files: json })).toMatchObject({ chat_template: "J" });
    const several = {
      ...json,
      "chat_template.jinja": "D",
      "additional_chat_templates/rag.jinja": "R",
    };
    expect(await read({ files: several })).toMatchObject({
      chat_template: "D",
      "chat_template.rag": "R",
      chat_templates: ["rag"],
    });
  });

  it("have names of letters and digits", async () => {
    const chat_template = [
      { name: "a b/../c", template: "X" },
      { name: "", template: "Y" },
      { name: "n" },
      3,
    ];
    const named = { ...files, "tokenizer_config.json": { chat_template } };
    expect(await read({ files: named })).toMatchObject({
      "chat_template.a_b____c": "X",
      chat_templates: ["a_b____c"],
    });
  });
});

it("a pre-tokenizer that there is not is the caller's mistake", async () => {
  const given = { files: { "tokenizer.model": spm() }, pre: "nonsense" };
  await expect(read(given)).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    details: { option: "pre" },
  });
});

/** Every place in a JSON value. */
function paths(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, one]) => paths(one, [...path, key]));
  return path.length === 0 ? inner : [path, ...inner];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value))
    return value.map((one, i) => (String(i) === key ? replaced(one, rest, by) : (one as unknown)));
  const object = value as Record<string, unknown>;
  return { ...object, [key]: replaced(object[key], rest, by) };
}

function thrown(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  return undefined;
}
