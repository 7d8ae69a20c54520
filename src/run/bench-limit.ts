import type { ModelInfo, TensorInfo } from "../sources/model-info.js";
import type { BenchTest } from "./bench.js";
import type { CacheType } from "./engine.js";
import type { MachineLimits } from "./machine-limits.js";

/** What a test makes a machine do. */
export interface BenchWork {
  /** Of weights, or of keys and values, read from memory. */
  readonly bytes: number;
  /** Whose products are taken in bytes, and in floats; a product and its sum are two. */
  readonly int8Operations: number;
  readonly f32Operations: number;
}

/**
 * A generated token reads every weight once (of the embedding one row) and has an operation pair for each; a prompt
 * reads them once for every batch, which is counted here as one, and has the output matrix for its last token alone. Of
 * experts those count that a token uses.
 */
export function weightWork(info: ModelInfo, { kind, tokens }: BenchTest): BenchWork {
  const isTied = !info.tensors.some(({ name }) => name === "output.weight");
  const work = { bytes: 0, int8Operations: 0, f32Operations: 0 };
  for (const tensor of info.tensors) {
    const isEmbedding = tensor.name === "token_embd.weight";
    if (isEmbedding && !isTied) continue;
    const share = expertShare(info, tensor);
    const isOutput = isEmbedding || tensor.name === "output.weight";
    const times = kind === "pp" && isOutput ? 1 : tokens;
    const operations = 2 * values(tensor) * share * times;
    if (floatTypes.has(tensor.type)) work.f32Operations += operations;
    else work.int8Operations += operations;
    // A prompt of more than a few tokens meets all experts.
    work.bytes += kind === "pp" ? tensor.bytes : tensor.bytes * share * tokens;
  }
  return work;
}

const cacheBytes = { F16: 2, Q8_0: 34 / 32 } as const satisfies Record<CacheType, number>;

/**
 * A token has two products with all tokens that it sees (their keys, then their values), which are read once for it; a
 * prompt reads them once. Exponentials are not counted, nor are models whose layers see a window of tokens, or keep
 * anything but keys and values.
 */
export function attentionWork(
  { tensors, metadata }: ModelInfo,
  { kind, tokens, depth = 0 }: BenchTest,
  cache: CacheType,
): BenchWork {
  const hasWindow = metadata.some(({ key }) => key.endsWith(".attention.sliding_window"));
  const sum = (name: string, side: 0 | 1): number =>
    tensors.reduce(
      (all, each) => all + (each.name.endsWith(name) ? (each.shape[side] ?? 0) : 0),
      0,
    );
  // Of all layers together.
  const queries = sum(".attn_output.weight", 0);
  const fused = sum(".attn_qkv.weight", 1);
  const keys = fused > 0 ? (fused - queries) / 2 : sum(".attn_k.weight", 1);
  if (hasWindow || keys <= 0) return { bytes: 0, int8Operations: 0, f32Operations: 0 };
  const pairs = tokens * depth + (tokens * (tokens + 1)) / 2;
  const half = 2 * queries * pairs;
  return {
    bytes: 2 * keys * cacheBytes[cache] * (kind === "pp" ? depth + tokens : pairs),
    int8Operations: cache === "Q8_0" ? half : 0,
    f32Operations: cache === "Q8_0" ? half : 2 * half,
  };
}

const floatTypes: ReadonlySet<string> = new Set(["F32", "F16", "BF16", "F64"]);

/** Seconds that work takes at least, one kind after the other: reading and computing go on at the same time. */
export function leastSeconds(work: readonly BenchWork[], limits: MachineLimits): number {
  return work.reduce((sum, { bytes, int8Operations, f32Operations }) => {
    const computing = int8Operations / limits.int8Operations + f32Operations / limits.f32Operations;
    return sum + Math.max(bytes / limits.readBytes, computing);
  }, 0);
}

function expertShare(info: ModelInfo, { name }: TensorInfo): number {
  if (!name.includes("_exps.")) return 1;
  const value = (key: string): number =>
    Number(info.metadata.find((entry) => entry.key.endsWith(`.${key}`))?.value ?? NaN);
  const share = value("expert_used_count") / value("expert_count");
  return share > 0 && share <= 1 ? share : 1;
}

function values({ shape }: TensorInfo): number {
  return shape.reduce((product, length) => product * length, 1);
}
