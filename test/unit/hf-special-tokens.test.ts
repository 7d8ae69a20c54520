import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { specialTokens } from "../../src/sources/hf-special-tokens.js";
import type { TokenizerFiles } from "../../src/sources/hf-tokenizer-files.js";
import { JsonFile, type JsonObject } from "../../src/sources/json-file.js";

interface Case {
  readonly tokenizerConfig: JsonObject | null;
  readonly postProcessor: JsonObject | null;
  readonly hasTokenizer: boolean;
  readonly config: JsonObject;
  readonly metadata: JsonObject;
}

const golden = JSON.parse(
  readFileSync(new URL("../golden/hf-tokenizer/special-tokens.json", import.meta.url), "utf8"),
) as { tokens: string[]; cases: Case[] };

const json = (object: JsonObject): JsonFile => new JsonFile("test.json", object);
const tokens = golden.tokens.map((text) => ({ text, type: 1 }));

function filesOf(given: Partial<Case>): TokenizerFiles {
  const { config = {}, tokenizerConfig = null, postProcessor = null, hasTokenizer = true } = given;
  const added_tokens = golden.tokens.map((content, id) => ({ id, content, special: true }));
  const tokenizer = { added_tokens, post_processor: postProcessor, model: {} };
  return {
    path: "test",
    config: json(config),
    tokenizer: hasTokenizer ? json(tokenizer) : undefined,
    tokenizerConfig: tokenizerConfig === null ? undefined : json(tokenizerConfig),
    ...{ generationConfig: undefined, addedTokens: undefined, sentencePiece: undefined },
    ...{ tiktoken: undefined, vocabulary: undefined, merges: undefined, templates: [] },
  };
}

const valuesOf = (given: Partial<Case>): JsonObject =>
  Object.fromEntries(specialTokens(filesOf(given), tokens).map(({ key, value }) => [key, value]));

describe("special tokens", () => {
  it("are upstream's, whatever the files combine", () => {
    for (const one of golden.cases) {
      const ours = valuesOf(one);
      // What upstream leaves open we may fill in.
      const filled = ["bos_token_id", "eos_token_id"].map((key) => `tokenizer.ggml.${key}`);
      const known = Object.entries(ours).filter(
        ([key]) => key in one.metadata || !filled.includes(key),
      );
      expect(Object.fromEntries(known), JSON.stringify(one)).toEqual(one.metadata);
    }
  });
});
