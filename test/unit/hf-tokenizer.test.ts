import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readTokenizer } from "../../src/sources/hf-tokenizer.js";
import { readJson } from "../../src/sources/json-file.js";
import type { MetadataEntry, Scalar } from "../../src/sources/model-info.js";
import { createTokenizer } from "../../src/tokenizer/tokenizer.js";
import {
  likeTokenizers,
  realTokenizers,
  writeTokenizer,
  type HfTokenizer,
} from "../helpers/hf-tokenizers.js";
import { describeShared } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { vectorsOf } from "../helpers/vocabularies.js";

const file = temporaryFolder();

async function convert(tokenizer: HfTokenizer) {
  const path = writeTokenizer(file(tokenizer.name), tokenizer);
  const config = await readJson(`${path}/config.json`);
  const { architecture, rows } = tokenizer;
  return readTokenizer({ path, fileNames: readdirSync(path), config, architecture, rows });
}

/** What upstream's converter writes for the same files; arrays as the SHA-256 of their elements' bytes. */
function golden(name: string): readonly { key: string }[] | undefined {
  const url = new URL(`../golden/hf-tokenizer/${name}.json`, import.meta.url);
  try {
    return (JSON.parse(readFileSync(url, "utf8")) as { metadata: { key: string }[] }).metadata;
  } catch {
    return undefined;
  }
}

/** Upstream's converter does not take the form. */
const withoutUpstream = ["llama-bpe-list"];
/** Where we know better (docs/decisions.md 8): upstream gives all tokens one score and has no unknown token. */
const better: Readonly<Record<string, readonly string[]>> = {
  "llama-spm-json": ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"],
};

const elementBytes: Readonly<Record<string, (value: Scalar) => Uint8Array>> = {
  string: (value) => Buffer.from(`${String(value)}\0`),
  i32: (value) => new Uint8Array(Int32Array.of(Number(value)).buffer),
  f32: (value) => new Uint8Array(Float32Array.of(Number(value)).buffer),
  u8: (value) => Uint8Array.of(Number(value)),
};

function hashed(entries: readonly MetadataEntry[]) {
  return entries.map(({ key, type, elementType = "", value }) => {
    if (typeof value !== "object") return { key, type, value };
    const hash = createHash("sha256");
    for (const element of value) hash.update(elementBytes[elementType]?.(element) ?? "");
    return { key, type, elementType, count: value.length, sha256: hash.digest("hex") };
  });
}

describeShared("a real tokenizer in its Hugging Face form", () => {
  it.each(Object.entries({ ...realTokenizers, ...likeTokenizers }))("%s", async (name, make) => {
    const tokenizer = await make();
    const metadata = await convert(tokenizer);
    const upstream = golden(name);
    const isPlain = ({ key }: { key: string }): boolean => !better[name]?.includes(key);
    if (upstream !== undefined) {
      expect(hashed(metadata).filter(isPlain)).toEqual(upstream.filter(isPlain));
    } else expect(withoutUpstream).toContain(name);
    if (tokenizer.vectors === undefined) return;
    const { encode } = createTokenizer({ path: name, metadata });
    const vectors = vectorsOf(tokenizer.vectors);
    expect(vectors.length).toBeGreaterThanOrEqual(46);
    for (const { text, ids } of vectors) {
      expect(encode(text, { special: false }), JSON.stringify(text)).toEqual(ids);
    }
  });
});
