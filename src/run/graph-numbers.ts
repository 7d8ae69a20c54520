import type { NativeExperts, NativeModelConfig } from "../native/binding.js";
import type { ModelInfo } from "../sources/model-info.js";
import type { Architecture } from "./architectures.js";
import { damaged, unsupported } from "./graph-errors.js";
import type { Lengths, Tensors } from "./graph-places.js";
import type { ModelValues } from "./model-values.js";

/** All numbers of a model that say nothing about single layers. */
export interface GraphNumbers {
  readonly config: Omit<NativeModelConfig, "ropeHalves" | "ropes" | "layers">;
  readonly lengths: Lengths;
  readonly layers: number;
  /** Values of a head that are turned; 0: none. */
  readonly ropeDims: number;
}

type Rule = readonly [holds: boolean, key: string, problem: string];

/** @throws NibbleError ERR_FORMAT for a number that is missing or cannot be, ERR_UNSUPPORTED. */
export function graphNumbers(
  { path }: ModelInfo,
  values: ModelValues,
  architecture: Architecture,
  tensors: Tensors,
): GraphNumbers {
  const width = values.requiredCount("embedding_length");
  const heads = values.requiredCount("attention.head_count");
  const kvHeads = values.count("attention.head_count_kv") ?? heads;
  const headDim = values.count("attention.key_length") ?? width / heads;
  const valueDim = values.count("attention.value_length") ?? width / heads;
  const { ropeFlag } = architecture;
  const isOff = ropeFlag !== undefined && values.flag(ropeFlag) === false;
  const isTurned = architecture.rope !== "none" && !isOff;
  const ropeDims = isTurned ? (values.count("rope.dimension_count") ?? headDim) : 0;
  const givenWidth = values.requiredCount("feed_forward_length");
  const layers = values.requiredCount("block_count");
  const vocabulary = tensors.get("token_embd.weight")?.shape[1] ?? 0;
  const positions = architecture.learnedPositions ? values.requiredCount("context_length") : 0;
  const epsKey = `attention.layer_norm_${architecture.norm === "rms" ? "rms_" : ""}epsilon`;
  const normEps = values.real(epsKey) ?? 1e-5;
  const experts = expertNumbers(path, values, architecture, givenWidth);
  // Where there are only experts no tensor bears the number out.
  const ffnWidth = experts.count > 0 ? 0 : givenWidth;
  check(path, values, [
    [heads % kvHeads === 0, "attention.head_count_kv", `does not divide ${heads} heads`],
    [Number.isInteger(headDim), "attention.head_count", `does not divide the width ${width}`],
    [headDim % 2 === 0, "attention.key_length", "is odd: rotary embedding turns pairs of values"],
    [valueDim === headDim, "attention.value_length", `is ${valueDim}, and keys have ${headDim}`],
    [ropeDims % 2 === 0 && ropeDims <= headDim, "rope.dimension_count", "is odd or above a head"],
    [normEps >= 0, epsKey, `is ${normEps}`],
    // A table of more would be an attack: the largest models have some hundred.
    [layers <= 4096, "block_count", `is ${layers}`],
  ]);
  return {
    config: {
      ...{ width, heads, kvHeads, headDim, ffnWidth, vocabulary, positions },
      normsCentered: architecture.norm === "layer",
      normEps,
      usesGelu: architecture.activation === "gelu",
      ...scaleNumbers(path, values, architecture, { width, heads, headDim, layers }),
      experts,
    },
    lengths: {
      ...{ width, vocabulary, positions, headDim, heads, kvHeads, ffnWidth },
      queries: heads * headDim,
      keys: kvHeads * headDim,
      experts: experts.count,
      expertWidth: experts.width,
      sharedWidth: experts.sharedWidth,
    },
    layers,
    ropeDims,
  };
}

function check(path: string, { architecture }: ModelValues, rules: readonly Rule[]): void {
  for (const [holds, key, problem] of rules) {
    if (!holds) throw damaged(path, `metadata ${architecture}.${key}`, problem);
  }
}

type ScaleNumbers = Pick<
  NativeModelConfig,
  | ("embeddingScale" | "residualScale" | "attentionScale")
  | ("attentionCap" | "logitScale" | "logitCap")
>;

function scaleNumbers(
  path: string,
  values: ModelValues,
  { scales = {} }: Architecture,
  sizes: Readonly<Record<"width" | "heads" | "headDim" | "layers", number>>,
): ScaleNumbers {
  const { width, heads, headDim, layers } = sizes;
  // 0 stands for a scale that is not there.
  const scale = (key: string) => (scales.byMetadata && values.real(key)) || 1;
  const cap = (key: string, missing: number | undefined) =>
    missing === undefined ? 0 : (values.real(key) ?? missing);
  const given = values.real("attention.scale") ?? 0;
  const scaled = layers === scales.widthPerHeadLayers ? Math.floor(width / heads) : headDim;
  const attentionCap = cap("attn_logit_softcapping", scales.attentionCap);
  const logitCap = cap("final_logit_softcapping", scales.logitCap);
  check(path, values, [
    [attentionCap >= 0, "attn_logit_softcapping", `is ${attentionCap}`],
    [logitCap >= 0, "final_logit_softcapping", `is ${logitCap}`],
  ]);
  return {
    embeddingScale: scales.embedsByWidth ? Math.sqrt(width) : scale("embedding_scale"),
    residualScale: scale("residual_scale"),
    attentionScale: given > 0 ? given : 1 / Math.sqrt(scaled),
    attentionCap,
    logitScale: 1 / scale("logit_scale"),
    logitCap,
  };
}

const noExperts: NativeExperts = { count: 0, used: 0, width: 0, sumToOne: false, sharedWidth: 0 };

function expertNumbers(
  path: string,
  values: ModelValues,
  { experts }: Architecture,
  ffnWidth: number,
): NativeExperts {
  if (experts === undefined) return noExperts;
  if (!experts.isRequired && !values.real("expert_count")) return noExperts;
  const count = values.requiredCount("expert_count");
  const used = values.requiredCount("expert_used_count");
  // The feed-forward's length is that of an expert, or of all that a token goes to.
  const shared = experts.isRequired ? ffnWidth / used : ffnWidth;
  const width = values.count("expert_feed_forward_length") ?? shared;
  const sharedWidth = experts.shared
    ? (values.count("expert_shared_feed_forward_length") ?? ffnWidth)
    : 0;
  check(path, values, [
    // As llama.cpp has it; a table of more would be an attack.
    [count <= 1024, "expert_count", `is ${count}`],
    [used <= count, "expert_used_count", `is ${used} of ${count}`],
    [Number.isInteger(width), "expert_used_count", `does not divide ${ffnWidth}`],
  ]);
  if ((values.count("expert_group_count") ?? 1) > 1) {
    const problem = "experts are chosen by groups, which the native engine does not do";
    throw unsupported(path, "experts", "groups", problem);
  }
  return { count, used, width, sumToOne: experts.sumToOne, sharedWidth };
}
