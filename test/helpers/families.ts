import type { TinyOptions } from "./tiny-model.js";

const gemma = { gelu: true, embedsByWidth: true, headDim: 32, tied: true } as const;
const gpt = { layerNorm: true, gelu: true, noGate: true, biases: "all", kvHeads: 4 } as const;
const stablelm = { architecture: "stablelm", layerNorm: true, ropeDims: 4 } as const;
const falcon = { architecture: "falcon", layerNorm: true, gelu: true, noGate: true } as const;

/** A small random model of every architecture that the native engine has, and of its variants. */
export const families = {
  llama: { architecture: "llama", neighbours: true },
  mixtral: {
    architecture: "llama",
    neighbours: true,
    experts: { count: 5, used: 2, width: 96, sumToOne: true },
  },
  qwen2: { architecture: "qwen2", biases: "qkv" },
  qwen3: { architecture: "qwen3", queryNorms: "head" },
  qwen2moe: {
    architecture: "qwen2moe",
    biases: "qkv",
    experts: { count: 7, used: 3, width: 40, sumToOne: false, sharedWidth: 72 },
  },
  qwen3moe: {
    architecture: "qwen3moe",
    queryNorms: "head",
    headDim: 24,
    experts: { count: 9, used: 4, width: 36, sumToOne: true },
  },
  gemma: { ...gemma, architecture: "gemma" },
  gemma2: {
    ...{ ...gemma, architecture: "gemma2", norms: "both" },
    ...{ window: 5, windowPeriod: 2, attentionCap: 3, logitCap: 2 },
  },
  gemma3: {
    ...{ ...gemma, architecture: "gemma3", norms: "both", queryNorms: "head", layers: 7 },
    ...{ window: 5, windowPeriod: 6, windowRopeBase: 10000, windowRopeIsPlain: true },
    ...{ ropeBase: 1e6, rope: { kind: "linear", factor: 8 } },
  },
  "gemma3 without windows": { ...gemma, architecture: "gemma3", norms: "both", queryNorms: "head" },
  phi3: { architecture: "phi3", fusedQkv: true, fusedGate: true },
  "phi3 that turns a part": {
    ...{ architecture: "phi3", fusedQkv: true, fusedGate: true, tied: true, ropeDims: 8 },
    rope: {
      ...{ kind: "longrope", original: 4096, attentionFactor: 1.25, isLong: false },
      ...{ short: [1, 1.5, 2, 3], long: [1, 4, 16, 64] },
    },
  },
  gpt2: {
    ...{ ...gpt, architecture: "gpt2", fusedQkv: true },
    ...{ noRope: true, learnedPositions: 300, tied: true },
  },
  gptneox: { ...gpt, architecture: "gptneox", fusedQkv: true, ropeDims: 4, parallel: "two norms" },
  "gptneox, one after the other": { ...gpt, architecture: "gptneox", fusedQkv: true },
  starcoder2: { ...gpt, architecture: "starcoder2", kvHeads: 2 },
  olmo2: { architecture: "olmo2", norms: "behind", queryNorms: "row" },
  "olmo2 with windows": {
    ...{ architecture: "olmo2", norms: "behind", queryNorms: "row", layers: 5 },
    ...{ window: 6, windowPeriod: 4, windowRopeIsPlain: true },
    rope: { kind: "yarn", factor: 8, original: 64 },
  },
  granite: {
    ...{ architecture: "granite", neighbours: true, attentionScale: 0.125 },
    ...{ embeddingScale: 12, residualScale: 0.22, logitDivisor: 8 },
  },
  "granite without rope": {
    ...{ architecture: "granite", neighbours: true, noRope: true, logitDivisor: 3 },
    ...{ biases: "all" },
  },
  stablelm: { ...stablelm, biases: "qkv" },
  "stablelm, side by side": { ...stablelm, parallel: "one norm", queryNorms: "own rows" },
  falcon: { ...falcon, fusedQkv: true, kvHeads: 1, parallel: "one norm" },
  "falcon with two norms": { ...falcon, fusedQkv: true, parallel: "attn_norm_2", tied: true },
} as const satisfies Record<string, TinyOptions & { readonly architecture: string }>;

export type Family = keyof typeof families;

export const familyNames = Object.keys(families) as readonly Family[];
