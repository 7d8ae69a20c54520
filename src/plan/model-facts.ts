import type { MetadataEntry, ModelInfo, TensorInfo } from "../sources/model-info.js";
import { kindOf, layerOf, roleOf } from "./roles.js";

/** What the choice of types asks about a model as a whole. */
export interface ModelFacts {
  /** `general.architecture`, empty where it is absent. */
  readonly architecture: string;
  /** `<architecture>.expert_count`, 0 where it is absent. */
  readonly experts: number;
  /** Query heads that share a head of keys and values, in the first layer; 0 where it is not known. */
  readonly gqa: number;
  readonly layers: number;
  /** Tensors of values, alone or fused with others: one per layer in most models. */
  readonly valueTensors: number;
  readonly is70B: boolean;
  /** No tensor of its own is the output: the token embedding serves as it. */
  readonly tied: boolean;
}

/** Layers of the models that llama.cpp knows as 70B, by architecture. */
const layersOf70B = new Map([
  ["llama", 80],
  ["qwen2", 80],
  ["deci", 80],
  ["olmo", 80],
  ["jais2", 68],
]);

/** `general.architecture`, empty where it is absent. */
export function architectureOf(metadata: readonly MetadataEntry[]): string {
  return textOf(metadata, "general.architecture");
}

export function modelFacts({ metadata, tensors }: ModelInfo): ModelFacts {
  const architecture = architectureOf(metadata);
  const number = (key: string): number | undefined => numberOf(metadata, `${architecture}.${key}`);
  const experts = number("expert_count") ?? 0;
  const layers = number("block_count") ?? layersBySight(tensors);
  const heads = number("attention.head_count") ?? 0;
  const sharedHeads = number("attention.head_count_kv") ?? heads;
  return {
    architecture,
    experts,
    gqa: sharedHeads > 0 ? Math.floor(heads / sharedHeads) : 0,
    layers,
    valueTensors: tensors.filter(({ name }) => kindOf(roleOf(name)) === "values").length,
    is70B: is70B(architecture, layers, experts, heads !== sharedHeads),
    tied: !tensors.some(({ name }) => roleOf(name) === "output"),
  };
}

/** Of llama's models with 80 layers, the one without shared heads is the first 65B. */
function is70B(
  architecture: string,
  layers: number,
  experts: number,
  sharesHeads: boolean,
): boolean {
  if (layersOf70B.get(architecture) !== layers) return false;
  return architecture !== "llama" || (sharesHeads && experts !== 8);
}

/** One more than the highest number of a layer in the tensors' names. */
export function layersBySight(tensors: readonly TensorInfo[]): number {
  return tensors.reduce((most, { name }) => Math.max(most, layerOf(name) + 1), 0);
}

function valueOf(
  metadata: readonly MetadataEntry[],
  key: string,
): MetadataEntry["value"] | undefined {
  return metadata.find((entry) => entry.key === key)?.value;
}

function textOf(metadata: readonly MetadataEntry[], key: string): string {
  const value = valueOf(metadata, key);
  return typeof value === "string" ? value : "";
}

/** A number, or the first layer's where there is one for every layer. */
function numberOf(metadata: readonly MetadataEntry[], key: string): number | undefined {
  const value = valueOf(metadata, key);
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === "number" || typeof first === "bigint" ? Number(first) : undefined;
}
