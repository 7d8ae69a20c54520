import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MetadataEntry } from "../../src/sources/model-info.js";
import { buildHfDirectory, tinyTokenizer } from "./hf-builder.js";
import { buildSafetensors, type BuiltWeight } from "./safetensors-builder.js";

/** A tiny model of a family, and what llama.cpp's converter made of it. */
export interface HfGolden {
  readonly name: string;
  readonly origin: string;
  readonly directory: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly dtype?: "F32" | "F16" | "BF16";
  /** Besides config.json, tokenizer.json and the weights. */
  readonly files?: Readonly<Record<string, unknown>>;
  readonly weights: readonly (readonly [name: string, shape: readonly number[]])[];
  /** Values of keys that upstream leaves out or has wrong. */
  readonly corrected?: Readonly<Record<string, MetadataEntry["value"]>>;
  /** What transformers computes with the weights in F32: the probability of each token after the first. */
  readonly reference: {
    readonly tokens: readonly number[];
    readonly logProbabilities: readonly number[];
  };
  /** By the output's type. */
  readonly outputs: Readonly<Record<string, HfGoldenOutput>>;
}

export interface HfGoldenOutput {
  readonly metadata: readonly MetadataEntry[];
  /** Type, GGUF's shape, and the first 16 digits of the bytes' SHA-256. */
  readonly tensors: Readonly<Record<string, readonly [string, readonly number[], string]>>;
}

const folder = fileURLToPath(new URL("../golden/hf/", import.meta.url));

export const hfGoldens: readonly HfGolden[] = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => ({
    name: file.replace(/\.json$/, ""),
    ...(JSON.parse(readFileSync(join(folder, file), "utf8")) as Omit<HfGolden, "name">),
  }));

/** FNV-1a of a name's bytes. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/**
 * Values of a weight: ((97 i + seed) mod 251 - 125) / 128, so that what was moved shows, and F16 and BF16 are exact.
 */
export function goldenValues(name: string, count: number): Float32Array {
  const seed = seedOf(name);
  return Float32Array.from({ length: count }, (_, i) => (((i * 97 + seed) % 251) - 125) / 128);
}

const asBits = {
  F32: (values: Float32Array): Uint8Array => new Uint8Array(values.buffer),
  /** The upper half: the values have no more digits. */
  BF16: (values: Float32Array): Uint8Array => {
    const words = Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16);
    return new Uint8Array(words.buffer);
  },
  F16: (values: Float32Array): Uint8Array => {
    const words = Uint16Array.from(new Uint32Array(values.buffer), halfBits);
    return new Uint8Array(words.buffer);
  },
};

/** Of values that are 0 or normal numbers of F16. */
function halfBits(word: number): number {
  if ((word & 0x7fffffff) === 0) return word >>> 16;
  const exponent = ((word >>> 23) & 0xff) - 127 + 15;
  return ((word >>> 16) & 0x8000) | (exponent << 10) | ((word >>> 13) & 0x3ff);
}

export function goldenWeight(
  name: string,
  shape: readonly number[],
  dtype: NonNullable<HfGolden["dtype"]> = "BF16",
): BuiltWeight {
  const count = shape.reduce((product, length) => product * length, 1);
  return { name, dtype, shape, data: asBits[dtype](goldenValues(name, count)) };
}

/** Writes the model's directory, below `parent`; `changes` take the place of its files. */
export function buildGolden(
  parent: string,
  golden: HfGolden,
  changes: { config?: object; weights?: readonly BuiltWeight[] } = {},
): string {
  const weights =
    changes.weights ??
    golden.weights.map(([name, shape]) => goldenWeight(name, shape, golden.dtype));
  const files = Object.entries(golden.files ?? {}).map(([name, content]) => [
    name,
    typeof content === "string" ? content : JSON.stringify(content),
  ]);
  return buildHfDirectory(join(parent, golden.directory), {
    config: changes.config ?? golden.config,
    tokenizer: tinyTokenizer,
    tokenizerConfig: {},
    files: {
      ...(Object.fromEntries(files) as Record<string, string>),
      "model.safetensors": buildSafetensors(weights),
    },
  });
}
