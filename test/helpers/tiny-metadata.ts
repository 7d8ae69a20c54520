import type { BuiltEntry } from "./gguf-builder.js";
import type { ReferenceConfig } from "./reference-config.js";

/** The keys that a model of that configuration has in a GGUF, and a vocabulary of its size. */
export function tinyMetadata(config: ReferenceConfig): BuiltEntry[] {
  return [...architectureKeys(config), ...vocabularyKeys(config)];
}

type Value = readonly [key: string, type: string, value: number | string | boolean | undefined];

function architectureKeys(config: ReferenceConfig): BuiltEntry[] {
  const { architecture } = config;
  const values: readonly Value[] = [
    ["block_count", "u32", config.layers],
    ["context_length", "u32", config.learnedPositions ?? 4096],
    ["embedding_length", "u32", config.width],
    ["feed_forward_length", "u32", config.ffnWidth],
    ["attention.head_count", "u32", config.heads],
    ["attention.head_count_kv", "u32", config.kvHeads],
    ["attention.key_length", "u32", config.headDim],
    ["attention.value_length", "u32", config.headDim],
    [`attention.layer_norm_${config.layerNorm ? "" : "rms_"}epsilon`, "f32", config.normEps],
    ["attention.sliding_window", "u32", config.window],
    ["attention.sliding_window_pattern", "u32", writtenPeriod(config)],
    ["attention.scale", "f32", config.attentionScale],
    ["attn_logit_softcapping", "f32", config.attentionCap],
    ["final_logit_softcapping", "f32", config.logitCap],
    ["embedding_scale", "f32", config.embeddingScale],
    ["residual_scale", "f32", config.residualScale],
    ["logit_scale", "f32", config.logitDivisor],
    ["use_parallel_residual", "bool", architecture === "gptneox" ? !!config.parallel : undefined],
    ["expert_count", "u32", config.experts?.count],
    ["expert_used_count", "u32", config.experts?.used],
    ["expert_feed_forward_length", "u32", config.experts?.width],
    ["expert_shared_feed_forward_length", "u32", config.experts?.sharedWidth],
    ...ropeKeys(config),
  ];
  return [
    { key: "general.architecture", type: "string", value: architecture },
    ...values.flatMap(([key, type, value]) =>
      value === undefined ? [] : [{ key: `${architecture}.${key}`, type, value }],
    ),
  ];
}

/** Files do not have the period that an architecture has by itself. */
function writtenPeriod({ architecture, windowPeriod }: ReferenceConfig): number | undefined {
  const own = new Map([
    ["gemma2", 2],
    ["gemma3", 6],
    ["olmo2", 4],
  ]);
  return own.get(architecture) === windowPeriod ? undefined : windowPeriod;
}

function ropeKeys({ rope, ropeDims, ropeBase, noRope, architecture }: ReferenceConfig): Value[] {
  if (noRope) {
    return architecture === "granite" ? [["rope.scaling.finetuned", "bool", false]] : [];
  }
  const keys: Value[] = [
    ["rope.dimension_count", "u32", ropeDims],
    ["rope.freq_base", "f32", ropeBase],
  ];
  if (rope.kind === "none" || rope.kind === "llama3") return keys;
  keys.push(["rope.scaling.type", "string", rope.kind]);
  if (rope.kind !== "longrope") keys.push(["rope.scaling.factor", "f32", rope.factor]);
  if (rope.kind !== "linear") {
    keys.push(["rope.scaling.original_context_length", "u32", rope.original]);
    keys.push(["rope.scaling.attn_factor", "f32", rope.attentionFactor]);
  }
  if (rope.kind === "yarn") {
    keys.push(["rope.scaling.yarn_beta_fast", "f32", rope.betaFast]);
    keys.push(["rope.scaling.yarn_beta_slow", "f32", rope.betaSlow]);
  }
  return keys;
}

/** SentencePiece-style: unknown, begin, end, 256 bytes, and letters up to the vocabulary's length. */
function vocabularyKeys({ vocabulary }: ReferenceConfig): BuiltEntry[] {
  const bytes = Array.from({ length: 256 }, (_, i) => {
    const hex = i.toString(16).toUpperCase().padStart(2, "0");
    return { token: `<0x${hex}>`, type: 6 };
  });
  const letters = Array.from({ length: Math.max(0, vocabulary - 259) }, (_, i) => ({
    token: i === 0 ? "\u2581" : String.fromCodePoint(96 + i),
    type: 1,
  }));
  const special = [
    { token: "<unk>", type: 2 },
    { token: "<s>", type: 3 },
    { token: "</s>", type: 3 },
  ];
  const all = [...special, ...bytes, ...letters].slice(0, vocabulary);
  const list = (key: string, elementType: string, value: readonly unknown[]) => ({
    key: `tokenizer.ggml.${key}`,
    type: "array",
    elementType,
    value,
  });
  return [
    { key: "tokenizer.ggml.model", type: "string", value: "llama" },
    list(
      "tokens",
      "string",
      all.map(({ token }) => token),
    ),
    list(
      "scores",
      "f32",
      all.map((_, i) => -i),
    ),
    list(
      "token_type",
      "i32",
      all.map(({ type }) => type),
    ),
  ];
}
