import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openSource } from "../../src/sources/open.js";
import { cutWords } from "../../src/bpe/cut-words.js";
import { findPreTokenizer, preTokenizers } from "../../src/bpe/pre-tokenizers.js";
import { createTokenizer, type TokenizerSource } from "../../src/tokenizer/tokenizer.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import {
  byteVocabulary,
  pieceVocabulary,
  tiktokenVocabulary,
  tokenizerMetadata,
  vectorsOf,
} from "../helpers/vocabularies.js";

const plain = { special: false };
const special = { special: true };

async function load(name: string, pre?: string) {
  const source = await openSource(sharedData(`vocab/ggml-vocab-${name}.gguf`));
  return createTokenizer(source, { pre });
}

describeShared("llama.cpp's vectors", () => {
  const folder = sharedData("vocab/");
  const names = (ending: string): string[] =>
    readdirSync(folder)
      .filter((file) => file.endsWith(ending))
      .map((file) => file.slice("ggml-vocab-".length, -ending.length));
  const withVectors = new Set(names(".gguf.out"));

  it.each(names(".gguf").filter((name) => withVectors.has(name)))("%s", async (name) => {
    const tokenizer = await load(name);
    const vectors = vectorsOf(name);
    expect(vectors.length).toBeGreaterThanOrEqual(46);
    for (const { text, ids } of vectors) {
      expect(tokenizer.encode(text, plain), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(text);
    }
  });

  it("Llama 3, its vocabulary from the list of tokens", () => {
    const tokenizer = createTokenizer(
      tiktokenVocabulary(sharedData("tokenizers/llama3-tiktoken/tokenizer.model")),
    );
    for (const { text, ids } of vectorsOf("llama-bpe")) {
      expect(tokenizer.encode(text, plain), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(text);
    }
  });

  it("GPT-2, its vocabulary from vocab.json and merges.txt", () => {
    const read = (file: string) => readFileSync(sharedData(`tokenizers/gpt2/${file}`), "utf8");
    const tokens = Object.entries(JSON.parse(read("vocab.json")) as Record<string, number>)
      .sort((a, b) => a[1] - b[1])
      .map(([text]) => text);
    const merges = read("merges.txt")
      .trimEnd()
      .split("\n")
      .filter((line) => !line.startsWith("#"));
    const source = tokenizerMetadata({ model: "gpt2", pre: "gpt-2", tokens, merges });
    const tokenizer = createTokenizer(source);
    for (const { text, ids } of vectorsOf("gpt-2")) {
      expect(tokenizer.encode(text, plain), JSON.stringify(text)).toEqual(ids);
    }
  });

  it("cuts 1.3 MB in under 2 s, and puts them together again", async () => {
    const text = readFileSync(sharedData("text/wiki.test.raw"), "utf8");
    for (const name of ["gpt-2", "llama-spm", "falcon"]) {
      const tokenizer = await load(name);
      const start = performance.now();
      const ids = tokenizer.encode(text, plain);
      expect(performance.now() - start, name).toBeLessThan(2000);
      expect(tokenizer.decode(ids)).toBe(text);
    }
  });

  it("ends texts where the models do", async () => {
    const phi = await load("phi-3");
    const shown = Array.from(phi.endOfText, (id) => phi.piece(id)).sort();
    expect(shown).toEqual(["</s>", "<|endoftext|>", "<|end|>"]);
    expect(phi).toMatchObject({ bos: 1, eos: 32000, addsBos: true, addsEos: false, model: "spm" });
    const gpt2 = await load("gpt-2");
    expect(gpt2).toMatchObject({ bos: 50256, eos: 50256, addsBos: false, model: "bpe" });
    expect([...gpt2.endOfText]).toEqual([50256]);
  });

  it("takes the white space behind Phi-3's tokens along", async () => {
    const phi = await load("phi-3");
    const ids = phi.encode("<|user|>\n  hi<|end|>\n", special);
    expect(ids.map((id) => phi.piece(id))).toEqual(["<|user|>", " hi", "<|end|>"]);
  });
});

describe("pre-tokenizers", () => {
  const golden = JSON.parse(
    readFileSync(new URL("../golden/tokenizer/pre-tokenizers.json", import.meta.url), "utf8"),
  ) as { texts: string[]; groups: { names: string[]; cuts: string[] }[] };

  it.each(golden.groups.map(({ names, cuts }) => [names.join(" "), names, cuts] as const))(
    "cut as llama.cpp: %s",
    (_, names, cuts) => {
      for (const name of names) {
        const pre = findPreTokenizer(name);
        golden.texts.forEach((text, i) => {
          const words = cutWords(text, pre?.cuts ?? []);
          expect(words.join("")).toBe(text);
          const lengths = words.map((word) => Array.from(word).length).join(" ");
          expect(lengths, `${name} ${JSON.stringify(text)}`).toBe(cuts[i]);
        });
      }
    },
  );

  it("has every name once, and all of llama.cpp's", () => {
    const names = preTokenizers.flatMap((pre) => pre.names);
    expect(new Set(names).size).toBe(names.length);
    expect([...names].sort()).toEqual(golden.groups.flatMap((group) => group.names).sort());
  });

  it("stays linear in long runs", () => {
    for (const { names, cuts } of preTokenizers) {
      for (const run of ["a", "A", "é", "中", "1", " ", "\n", "'"]) {
        const text = `${run.repeat(100_000)}x`;
        const start = performance.now();
        expect(cutWords(text, cuts).join("").length).toBe(text.length);
        expect(performance.now() - start, `${names[0]} ${run}`).toBeLessThan(1000);
      }
    }
  });

  it("names an unknown one, and lets another be chosen", () => {
    const source = byteVocabulary(["1 2"], [], { pre: "new-model" });
    expect(() => createTokenizer(source)).toThrow(/"new-model" is not known.*--pre NAME.*qwen2/);
    expect(thrown(() => createTokenizer(source))).toMatchObject({
      code: "ERR_UNSUPPORTED",
      details: { what: "pre-tokenizer", value: "new-model" },
    });
    expect(createTokenizer(source, { pre: "gpt-2" }).encode("12", plain)).toEqual([256]);
    expect(createTokenizer(source, { pre: "qwen2" }).encode("12", plain)).toHaveLength(2);
    expect(thrown(() => createTokenizer(source, { pre: "qwen" }))).toMatchObject({
      code: "ERR_ARGUMENT",
      details: { option: "pre" },
    });
  });

  it("ignores merges where the model does", () => {
    // "abc" is a token that no merge makes.
    const source = byteVocabulary(["a b"], [{ text: "abc", type: 1 }]);
    expect(createTokenizer(source).encode("abc", plain)).toHaveLength(2);
    expect(createTokenizer(source, { pre: "llama-bpe" }).encode("abc", plain)).toEqual([257]);
  });
});

describe("special tokens", () => {
  const source = byteVocabulary(
    ["< |"],
    [
      { text: "<|a|>", type: 3 },
      { text: "<|a|><|b|>", type: 3 },
      { text: "  ", type: 4 },
      { text: "<unk>", type: 2 },
    ],
  );
  const tokenizer = createTokenizer(source);
  const [a, ab, twoSpaces, unknown] = [257, 258, 259, 260];

  it("are parsed only when asked for, but user-defined ones always", () => {
    expect(tokenizer.encode("<|a|>", special)).toEqual([a]);
    expect(tokenizer.encode("<|a|>", plain)).toHaveLength(4);
    expect(tokenizer.encode("<unk>", special)).toEqual([unknown]);
    expect(tokenizer.encode("<unk>", plain)).toHaveLength(5);
    const x = "x".charCodeAt(0);
    expect(tokenizer.encode("x   x", plain)).toEqual([x, twoSpaces, 0x20, x]);
  });

  it("are looked for longest first, not leftmost first", () => {
    expect(tokenizer.encode("<|a|><|b|>", special)).toEqual([ab]);
    expect(tokenizer.encode("<|a|><|a|>", special)).toEqual([a, a]);
    const longer = byteVocabulary([], [{ text: "ab", type: 3 }].concat({ text: "bcd", type: 3 }));
    expect(createTokenizer(longer).encode("abcd", special)).toEqual([0x61, 257]);
  });

  it("are shown or left out when decoding", () => {
    const ids = tokenizer.encode("x<|a|>y  ", special);
    expect(tokenizer.decode(ids)).toBe("xy  ");
    expect(tokenizer.decode(ids, { special: true })).toBe("x<|a|>y  ");
    expect(tokenizer.piece(a)).toBe("<|a|>");
  });

  it("handles thousands of them in a long text", () => {
    const many = Array.from({ length: 6000 }, (_, i) => ({ text: `<|slot ${i}|>`, type: 3 }));
    const slots = createTokenizer(byteVocabulary([], many));
    const text = `${"< ".repeat(100_000)}<|slot 17|>${"<|slot 5".repeat(20_000)}`;
    const start = performance.now();
    expect(slots.encode(text, special)).toContain(256 + 17);
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it("are recognised by their text as the end, with the exceptions that models need", () => {
    const ends = (...texts: string[]): string[] => {
      const extra = texts.map((text) => ({ text, type: 1 }));
      const made = createTokenizer(byteVocabulary([], extra));
      return Array.from(made.endOfText, (id) => made.piece(id)).sort();
    };
    expect(ends("<|eot_id|>", "<|im_end|>", "<|x|>")).toEqual(["<|eot_id|>", "<|im_end|>"]);
    expect(ends("<|end|>", "<|return|>", "<|call|>")).toEqual(["<|call|>", "<|return|>"]);
    expect(ends("</s>", "<|tool_response>")).toEqual(["<|tool_response>"]);
    expect(ends("<|fim_pad|>", "<|fim_prefix|>")).toEqual(["<|fim_pad|>"]);
  });
});

describe("SentencePiece-style vocabularies", () => {
  const source = pieceVocabulary(["▁", "a", "b", "ab", "▁a", "▁ab", "aa", "▁▁"]);
  const first = 259;
  const id = { space: first, a: first + 1, b: first + 2, ab: first + 3, spaceA: first + 4 };

  it("joins the piece with the highest score first, the leftmost of equals", () => {
    const tokenizer = createTokenizer(source, {});
    // "ab" outranks "▁a"; then "▁ab" takes both.
    expect(tokenizer.encode("ab", plain)).toEqual([first + 5]);
    expect(tokenizer.encode("aaa", plain)).toEqual([id.spaceA, first + 6]);
  });

  it("puts a space before a text and behind special tokens, unless the metadata say no", () => {
    const tokenizer = createTokenizer(source);
    expect(tokenizer.encode("b</s>b", special)).toEqual([id.space, id.b, 2, id.space, id.b]);
    expect(tokenizer.encode("", plain)).toEqual([]);
    const bare = createTokenizer(pieceVocabulary(["▁", "a", "b"], { add_space_prefix: false }));
    expect(bare.encode("b", plain)).toEqual([id.b]);
    expect(bare.decode([id.space, id.b])).toBe(" b");
  });

  it("drops that space when decoding, but not behind BOS or in the middle of a text", () => {
    const tokenizer = createTokenizer(source);
    expect(tokenizer.decode([id.spaceA, id.spaceA])).toBe("a a");
    expect(tokenizer.decode([1, id.spaceA])).toBe(" a");
    expect(tokenizer.decode([1, id.spaceA], { special: true })).toBe(" a");
    expect(tokenizer.decode([id.spaceA], { continues: true })).toBe(" a");
  });

  it("writes other characters as bytes, as the unknown token where these are missing", () => {
    const tokenizer = createTokenizer(source);
    const bytes = Array.from(Buffer.from("🦙"), (byte) => byte + 3);
    expect(tokenizer.encode("🦙", plain)).toEqual([id.space, ...bytes]);
    expect(tokenizer.piece(0xf0 + 3)).toBe("<0xF0>");
    const gaps = tokenizerMetadata({
      model: "llama",
      tokens: ["<unk>", "▁", "a"],
      scores: [0, 0, 0],
    });
    expect(createTokenizer(gaps).encode("aßa", plain)).toEqual([1, 2, 0, 2]);
  });

  it("reads BOS and EOS, or llama.cpp's defaults", () => {
    const of = (values: Record<string, number | boolean>) =>
      createTokenizer(pieceVocabulary(["a"], values));
    expect(of({})).toMatchObject({ bos: 1, eos: 2, addsBos: true, addsEos: false });
    expect(of({ bos_token_id: 259, add_bos_token: false, add_eos_token: true })).toMatchObject({
      bos: 259,
      addsBos: false,
      addsEos: true,
    });
    // 0xffffffff is how some files say "none".
    expect(of({ bos_token_id: 0xffffffff, eos_token_id: 99999 })).toMatchObject({ bos: 1, eos: 2 });
  });

  it("cuts a text without a space, and one of spaces only", () => {
    const tokenizer = createTokenizer(source);
    for (const unit of ["a", "b", " ", "a b"]) {
      const text = unit.repeat(200_000);
      const start = performance.now();
      expect(tokenizer.decode(tokenizer.encode(text, plain))).toBe(text);
      expect(performance.now() - start, unit).toBeLessThan(3000);
    }
  });
});

describe("decoding", () => {
  const tokenizer = createTokenizer(byteVocabulary(["ð Ł"]));

  it("holds the bytes of a character back until it is whole", () => {
    const decoder = tokenizer.decoder();
    const ids = tokenizer.encode("a🦙é", plain);
    expect(ids.map((id) => tokenizer.piece(id))).toEqual([
      "a",
      "<0xF0><0x9F>",
      "<0xA6>",
      "<0x99>",
      "<0xC3>",
      "<0xA9>",
    ]);
    expect(ids.map((id) => decoder.push(id))).toEqual(["a", "", "", "🦙", "", "é"]);
    expect(decoder.end()).toBe("");
  });

  it("gives U+FFFD for what never becomes whole", () => {
    const decoder = tokenizer.decoder();
    expect(decoder.push(0xf0) + decoder.push(0x9f)).toBe("");
    expect(decoder.push(0x61)).toBe("\ufffda");
    expect(decoder.push(0xe2) + decoder.end()).toBe("\ufffd");
  });

  it("gives back any text, byte by byte", () => {
    const text = "\0\u007f\u00ad\ufeff👩‍👩‍👧‍👦 İſ\r\n\t٣\u2028\ufffd中";
    expect(tokenizer.decode(tokenizer.encode(text, plain))).toBe(text);
    expect(tokenizer.decode(tokenizer.encode("\ud800x", plain))).toBe("\ufffdx");
  });

  it("refuses ids that there are not", () => {
    for (const id of [-1, 1.5, tokenizer.size, NaN]) {
      expect(thrown(() => tokenizer.decode([id]))).toMatchObject({ code: "ERR_ARGUMENT" });
      expect(thrown(() => tokenizer.piece(id))).toMatchObject({ code: "ERR_ARGUMENT" });
    }
  });
});

describe("Gemma 4's kind", () => {
  it("joins characters, with spaces as U+2581, line breaks whole, and bytes as a last resort", () => {
    const merges = ["▁ a", "\n \n", "\n\n \n"];
    const tokens = ["▁", "a", "\n", "▁a", "\n\n", "<0xC3>", "<0x9F>", "<bos>", "\n\n\n\n"];
    const types = [1, 1, 1, 1, 1, 6, 6, 3, 1];
    const source = tokenizerMetadata({
      model: "gemma4",
      tokens,
      token_type: types,
      merges,
      bos_token_id: 7,
    });
    const tokenizer = createTokenizer(source);
    expect(tokenizer).toMatchObject({ bos: 7, addsBos: true, model: "bpe" });
    expect(tokenizer.encode("a a\n\n\n\naß", plain)).toEqual([1, 3, 8, 1, 5, 6]);
    expect(tokenizer.decode([3, 4, 5, 6])).toBe(" a\n\nß");
  });
});

describe("bad metadata", () => {
  const cases: [string, TokenizerSource, string, RegExp][] = [
    ["no model", tokenizerMetadata({ tokens: ["a"] }), "ERR_FORMAT", /tokenizer\.ggml\.model/],
    ["model that is no string", tokenizerMetadata({ model: 1 }), "ERR_FORMAT", /no string/],
    ["no tokens", byteVocabulary([], [], { tokens: undefined }), "ERR_FORMAT", /ggml\.tokens/],
    ["an empty list", byteVocabulary([], [], { tokens: [] }), "ERR_FORMAT", /ggml\.tokens/],
    ["tokens that are numbers", byteVocabulary([], [], { tokens: [1] }), "ERR_FORMAT", /strings/],
    ["no merges", byteVocabulary([], [], { merges: undefined }), "ERR_FORMAT", /ggml\.merges/],
    [
      "a merge of one part",
      byteVocabulary([], [], { merges: ["ab"] }),
      "ERR_FORMAT",
      /number 0 is "ab"/,
    ],
    [
      "types too short",
      byteVocabulary([], [], { token_type: [1] }),
      "ERR_FORMAT",
      /1 elements.*256/,
    ],
    ["scores too short", pieceVocabulary([], { scores: [0] }), "ERR_FORMAT", /1 elements.*259/],
    ["a flag that is a number", pieceVocabulary([], { add_bos_token: 1 }), "ERR_FORMAT", /no bool/],
    [
      "WordPiece",
      tokenizerMetadata({ model: "bert" }),
      "ERR_UNSUPPORTED",
      /"bert" \(WordPiece\).*llama\.cpp/,
    ],
    ["a name of Object", tokenizerMetadata({ model: "toString" }), "ERR_UNSUPPORTED", /toString/],
  ];
  it.each(cases)("%s", (_, source, code, message) => {
    const error = thrown(() => createTokenizer(source));
    expect(error).toMatchObject({ code });
    expect(String(error)).toMatch(message);
  });

  it("survives merges that make no token, empty and double tokens, strange types and scores", () => {
    const tokenizer = createTokenizer(
      byteVocabulary([], [{ text: "", type: 99 }].concat({ text: "a", type: -1 }), {
        merges: ["x y", "xy z", "q  ", "no such"],
        eot_token_id: 1e9,
        bos_token_id: -5,
      }),
    );
    expect(tokenizer.decode(tokenizer.encode("xyz such q", plain))).toBe("xyz such q");
    expect(tokenizer.bos).toBeUndefined();
    const odd = createTokenizer(
      pieceVocabulary(["▁", "a", "b", "ab"], { scores: Array.from({ length: 263 }, () => NaN) }),
    );
    expect(odd.decode(odd.encode("abab", plain))).toBe("abab");
  });
});

function thrown(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  return undefined;
}
