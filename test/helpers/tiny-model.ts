import { writeFileSync } from "node:fs";
import { format, type FormatName } from "../../src/formats.js";
import { loadAddon } from "../../src/native/load.js";
import { buildGguf, type BuiltEntry, type BuiltTensor } from "./gguf-builder.js";
import { quantizeEvenly } from "./quantize-evenly.js";
import { randomWeights } from "./random.js";
import type { ReferenceConfig } from "./reference-config.js";
import type { ReferenceModel } from "./reference-model.js";
import { llama3Factors } from "./reference-rope.js";
import { tinyMetadata } from "./tiny-metadata.js";
import { tinyShapes } from "./tiny-shapes.js";

export interface TinyOptions extends Partial<ReferenceConfig> {
  /** Of all matrices but those that are never quantized; F32 by default. By name where they differ. */
  readonly type?: FormatName | ((name: string) => FormatName);
  /** The embedding is the output matrix too. */
  readonly tied?: boolean;
}

/** A random model: the file, and what the reference computes with. */
export interface TinyModel extends ReferenceModel {
  readonly metadata: readonly BuiltEntry[];
  readonly built: readonly BuiltTensor[];
}

const defaults = {
  architecture: "llama",
  layers: 2,
  width: 64,
  heads: 4,
  kvHeads: 2,
  ffnWidth: 96,
  vocabulary: 300,
  normEps: Math.fround(1e-5),
  ropeBase: 10000,
  rope: { kind: "none" },
} as const satisfies Partial<ReferenceConfig>;

export function tinyConfig(options: TinyOptions = {}): ReferenceConfig {
  const isLlama = (options.architecture ?? "llama") === "llama";
  const merged = { ...defaults, neighbours: isLlama, ...options };
  const headDim = options.headDim ?? merged.width / merged.heads;
  return { ...merged, headDim, ropeDims: options.ropeDims ?? headDim };
}

/** The same options and names give the same tensors: models of 1, 2 and 3 layers share their first ones. */
export function tinyModel(options: TinyOptions = {}): TinyModel {
  const config = tinyConfig(options);
  const { type = "F32", tied = false } = options;
  const tensors = new Map<string, Float32Array>();
  const built: BuiltTensor[] = [];
  const add = (name: string, values: Float32Array, shape: readonly number[], as: FormatName) => {
    const addon = loadAddon();
    const data = quantizeEvenly(as, values);
    tensors.set(name, addon.dequantizeRows(format(as).id, data));
    built.push({ name, type: as, shape, data });
  };
  const typeOf = (name: string) => (typeof type === "string" ? type : type(name));
  for (const [name, ...shape] of tinyShapes(config, tied)) {
    const [perRow = 1, ...rest] = shape;
    const count = shape.reduce((product, length) => product * length, 1);
    if (isVector(name, rest)) add(name, vector(name, count), shape, "F32");
    else add(name, matrix(name, count, perRow), shape, isKept(name) ? "F32" : typeOf(name));
  }
  for (const [name, factors] of ropeTensors(config)) {
    add(name, Float32Array.from(factors), [factors.length], "F32");
  }
  return {
    config,
    tensors,
    metadata: tinyMetadata(config),
    built,
  };
}

/** Writes the model; what is given takes the place of the model's own. */
export function writeTinyModel(
  path: string,
  { metadata, built }: TinyModel,
  changes: { metadata?: readonly BuiltEntry[]; tensors?: readonly BuiltTensor[] } = {},
): string {
  const tensors = changes.tensors ?? built;
  writeFileSync(path, buildGguf({ metadata: changes.metadata ?? metadata, tensors }));
  return path;
}

/** Ids below the vocabulary, the first ones over and over rarely. */
export function someTokens(count: number, { vocabulary }: ReferenceConfig): number[] {
  return Array.from({ length: count }, (_, i) => (i * i * 31 + i * 7 + 1) % vocabulary);
}

function isVector(name: string, rest: readonly number[]): boolean {
  return (rest.length === 0 && !name.includes("gate_inp")) || name.includes("norm");
}

/** Routers and positions stay F32 in quantized models. */
function isKept(name: string): boolean {
  return name.includes("ffn_gate_inp") || name.startsWith("position_embd");
}

function ropeTensors(config: ReferenceConfig): readonly (readonly [string, readonly number[]])[] {
  const { rope } = config;
  if (rope.kind === "llama3") return [["rope_freqs.weight", llama3Factors(config)]];
  if (rope.kind !== "longrope") return [];
  return [
    ["rope_factors_long.weight", rope.long],
    ["rope_factors_short.weight", rope.short],
  ];
}

/** Normal, of such a size that a product is about as large as what went in. */
function matrix(name: string, count: number, perRow: number): Float32Array {
  const size = name === "token_embd.weight" ? 1 : 1 / Math.sqrt(perRow);
  return randomWeights(count, seedOf(name)).map((value) => (value / 0.02) * size);
}

/** Norms lie around 1, biases around 0. */
function vector(name: string, count: number): Float32Array {
  const middle = name.endsWith(".bias") ? 0 : 1;
  return randomWeights(count, seedOf(name)).map((value) => middle + value * 10);
}

/** FNV-1a. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}
