import type { ModelInfo, TensorInfo } from "../sources/model-info.js";
import type { BenchTest } from "./bench.js";
import type { MachineLimits } from "./machine-limits.js";

/** What a test makes a machine do, as far as the weights are concerned: attention comes on top. */
export interface BenchWork {
  /** Of weights, read from memory. */
  readonly bytes: number;
  /** With weights whose products are taken in bytes, and with floats; a product and its sum are two. */
  readonly int8Operations: number;
  readonly f32Operations: number;
}

/**
 * A generated token reads every weight once (of the embedding one row) and has an operation pair for each; a prompt
 * reads them once for every batch, which is counted here as one, and has the output matrix for its last token alone. Of
 * experts those count that a token uses.
 */
export function benchWork(info: ModelInfo, { kind, tokens }: BenchTest): BenchWork {
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

const floatTypes: ReadonlySet<string> = new Set(["F32", "F16", "BF16", "F64"]);

/** Seconds that the work takes at least: reading and computing go on at the same time. */
export function leastSeconds(work: BenchWork, limits: MachineLimits): number {
  const computing =
    work.int8Operations / limits.int8Operations + work.f32Operations / limits.f32Operations;
  return Math.max(work.bytes / limits.readBytes, computing);
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
