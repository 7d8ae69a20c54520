import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findPreTokenizer } from "../../src/bpe/pre-tokenizers.js";
import { readPipeline } from "../../src/sources/hf-pipeline.js";
import { preTokenizerName } from "../../src/sources/hf-pre-tokenizer.js";
import { JsonFile } from "../../src/sources/json-file.js";
import { fromOniguruma } from "../../src/sources/oniguruma.js";

interface Case {
  /** llama.cpp's name, where it has one. */
  readonly pre?: string;
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly words: readonly (readonly string[])[];
}

const golden = JSON.parse(
  readFileSync(new URL("../golden/hf-tokenizer/pipelines.json", import.meta.url), "utf8"),
) as { texts: string[]; cases: Case[] };

/** The name for a tokenizer whose vocabulary upstream does not know, so that only the cuts can tell. */
function nameOf(object: Readonly<Record<string, unknown>>, ignoresMerges = false): string {
  const model = {
    ...{ ids: new Map<string, number>(), merges: [], unknown: undefined },
    ...{ ignoresMerges, fallsBackToBytes: false },
  };
  const nameless = { path: "tokenizer.json", model, added: [], bos: undefined, eos: undefined };
  return preTokenizerName(new JsonFile("tokenizer.json", object), nameless);
}

const bytes = { type: "ByteLevel", use_regex: false };
const splitAt = (Regex: string, then: unknown = bytes) => ({
  type: "Sequence",
  pretokenizers: [{ type: "Split", pattern: { Regex }, behavior: "Isolated" }, then],
});

describe("a tokenizer.json's normalizer and pre-tokenizer", () => {
  it.each(
    golden.cases.map(
      (one, i) => [`${i} ${JSON.stringify(one.pre_tokenizer).slice(0, 80)}`, one] as const,
    ),
  )("as Hugging Face's tokenizers: %s", (_, one) => {
    const pipeline = readPipeline({ ...one });
    expect(pipeline).toBeDefined();
    golden.texts.forEach((text, i) => {
      const words = pipeline?.cut(pipeline.normalize(text), true);
      expect(words, JSON.stringify(text)).toEqual(one.words[i]);
    });
  });
});

describe("the pre-tokenizer's name", () => {
  const named = golden.cases.filter(({ pre }) => pre !== undefined && pre !== "kimi-k2");

  it.each(named.map((one) => [one.pre ?? "", one] as const))("%s, by its cuts", (pre, one) => {
    const found = findPreTokenizer(nameOf({ ...one }, findPreTokenizer(pre)?.ignoresMerges));
    expect(found?.names).toContain(pre);
  });

  it("depends on whether merges are ignored, where the cuts are the same", () => {
    const llama3 = golden.cases.find(({ pre }) => pre === "llama-bpe");
    expect(nameOf({ ...llama3 }, true)).toBe("llama-bpe");
    expect(findPreTokenizer(nameOf({ ...llama3 }, false))?.ignoresMerges).toBeUndefined();
  });

  it("is none where no known one cuts so, where a step is not known, or a pattern is not valid", () => {
    const unknown = { type: "Sequence", pretokenizers: [{ type: "UnicodeScripts" }, bytes] };
    for (const pre_tokenizer of [splitAt("[aeiou]"), unknown, splitAt("(a"), splitAt("(a)\\1")]) {
      const error = thrown(() => nameOf({ pre_tokenizer }));
      expect(error).toMatchObject({
        code: "ERR_UNSUPPORTED",
        details: { what: "pre-tokenizer" },
        message: expect.stringMatching(
          /none that llama\.cpp has a name for.*--pre NAME.*qwen2/,
        ) as string,
      });
    }
  });

  it("is looked for no longer than a pattern deserves", () => {
    const start = performance.now();
    const error = thrown(() => nameOf({ pre_tokenizer: splitAt("(?:(?:=+)+)+$!|(?:\\s*)*$\\d") }));
    expect(error).toMatchObject({ code: "ERR_UNSUPPORTED" });
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe("Oniguruma's expressions", () => {
  it("that are not translated are undefined, never a wrong one", () => {
    const patterns = [
      "(a)\\1",
      "\\K",
      "\\G",
      "(?m:a)",
      "[a",
      "a)",
      "(",
      "*",
      "\\p{Nonsense}",
      "\\x{110000}",
    ];
    for (const pattern of [...patterns, "(".repeat(100), "a".repeat(30_000), "[z-a]", "a{2,1}"]) {
      expect(fromOniguruma(pattern), pattern.slice(0, 20)).toBeUndefined();
    }
  });

  it("match as they say", () => {
    const cases: readonly (readonly [string, string, readonly string[]])[] = [
      ["a++b|a", "aab aa", ["aab", "a", "a"]],
      ["a++ab", "aaab", []],
      ["(?>a+)b", "aab", ["aab"]],
      ["^.$", "a\nb", ["a", "b"]],
      ["\\Aa|b\\z|c\\Z", "aabcb\n", ["a"]],
      ["[a-c&&[^b]]+", "abcab", ["a", "ca"]],
      ["[^a&&[^b]]", "abc", ["b", "c"]],
      ["[^[a-c]x]+", "abxyz", ["yz"]],
      ["(?i:k)[]]", "K]k]", ["K]", "k]"]],
      ["[a\\-c]+", "a-cb", ["a-c"]],
      ["\\p{^L}\\P{L}", "a1 b", ["1 "]],
      ["x{,2}y", "xxxy", ["xxy"]],
      ["a{x}", "a{x}", ["a{x}"]],
      ["(?<name>a)b", "ab", ["ab"]],
    ];
    for (const [pattern, text, matches] of cases) {
      const regex = new RegExp(fromOniguruma(pattern) ?? "(?!)", "gu");
      expect(text.match(regex) ?? [], pattern).toEqual(matches);
    }
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
