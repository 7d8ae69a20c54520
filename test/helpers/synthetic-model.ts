import { bytesOf, type FormatName } from "../../src/formats.js";
import type { MetadataEntry, ModelInfo, TensorInfo } from "../../src/sources/model-info.js";

export interface SyntheticOptions {
  readonly architecture?: string;
  readonly container?: "gguf" | "hf";
  readonly metadata?: readonly MetadataEntry[];
}

export function tensor(name: string, shape: readonly number[], type: FormatName): TensorInfo {
  const [perRow = 1, ...others] = shape;
  const bytes = bytesOf(
    type,
    perRow,
    others.reduce((product, length) => product * length, 1),
  );
  return { name, type, shape, bytes, pieces: [{ file: 0, offset: 0, bytes }] };
}

/** A model of headers alone: no file is behind it. */
export function syntheticModel(
  tensors: readonly TensorInfo[],
  { architecture = "llama", container = "gguf", metadata = [] }: SyntheticOptions = {},
): ModelInfo {
  return {
    path: "synthetic.gguf",
    container,
    metadata: [{ key: "general.architecture", type: "string", value: architecture }, ...metadata],
    tensors,
    files: [{ path: "synthetic.gguf", bytes: 0 }],
  };
}

/** The entries that the choice of types asks for. */
export function shapeMetadata(
  architecture: string,
  blocks: number,
  heads: number,
  sharedHeads: number,
  experts = 0,
): MetadataEntry[] {
  const entries: [string, number][] = [
    ["block_count", blocks],
    ["attention.head_count", heads],
    ["attention.head_count_kv", sharedHeads],
    ...(experts > 0 ? ([["expert_count", experts]] as [string, number][]) : []),
  ];
  return entries.map(([key, value]) => ({ key: `${architecture}.${key}`, type: "u32", value }));
}

function layers(count: number, one: (prefix: string) => TensorInfo[]): TensorInfo[] {
  return Array.from({ length: count }, (_, layer) => one(`blk.${layer}.`)).flat();
}

/** The shapes of Llama-3.2-1B: no output tensor of its own. */
export function tiedLlama(type: FormatName = "F16", container: "gguf" | "hf" = "gguf"): ModelInfo {
  const small: FormatName = container === "hf" ? type : "F32";
  return syntheticModel(
    [
      tensor("token_embd.weight", [2048, 128256], type),
      tensor("output_norm.weight", [2048], small),
      tensor("rope_freqs.weight", [32], small),
      ...layers(16, (blk) => [
        tensor(`${blk}attn_norm.weight`, [2048], small),
        tensor(`${blk}attn_q.weight`, [2048, 2048], type),
        tensor(`${blk}attn_k.weight`, [2048, 512], type),
        tensor(`${blk}attn_v.weight`, [2048, 512], type),
        tensor(`${blk}attn_output.weight`, [2048, 2048], type),
        tensor(`${blk}ffn_norm.weight`, [2048], small),
        tensor(`${blk}ffn_gate.weight`, [2048, 8192], type),
        tensor(`${blk}ffn_up.weight`, [2048, 8192], type),
        tensor(`${blk}ffn_down.weight`, [8192, 2048], type),
      ]),
    ],
    { container, metadata: shapeMetadata("llama", 16, 32, 8) },
  );
}

/** The shapes of Mixtral-8x7B: eight experts in one tensor. */
export function mixtral(type: FormatName = "F16"): ModelInfo {
  return syntheticModel(
    [
      tensor("token_embd.weight", [4096, 32000], type),
      ...layers(32, (blk) => [
        tensor(`${blk}attn_q.weight`, [4096, 4096], type),
        tensor(`${blk}attn_k.weight`, [4096, 1024], type),
        tensor(`${blk}attn_v.weight`, [4096, 1024], type),
        tensor(`${blk}attn_output.weight`, [4096, 4096], type),
        tensor(`${blk}ffn_gate_inp.weight`, [4096, 8], "F32"),
        tensor(`${blk}ffn_gate_exps.weight`, [4096, 14336, 8], type),
        tensor(`${blk}ffn_up_exps.weight`, [4096, 14336, 8], type),
        tensor(`${blk}ffn_down_exps.weight`, [14336, 4096, 8], type),
        tensor(`${blk}attn_norm.weight`, [4096], "F32"),
        tensor(`${blk}ffn_norm.weight`, [4096], "F32"),
      ]),
      tensor("output_norm.weight", [4096], "F32"),
      tensor("output.weight", [4096, 32000], type),
    ],
    { metadata: shapeMetadata("llama", 32, 32, 8, 8) },
  );
}

/** The shapes of Falcon-7B: fused attention, and rows of 4544, which 32 divides and 256 does not. */
export function falcon(type: FormatName = "F16"): ModelInfo {
  return syntheticModel(
    [
      tensor("token_embd.weight", [4544, 65024], type),
      ...layers(32, (blk) => [
        tensor(`${blk}attn_norm.weight`, [4544], "F32"),
        tensor(`${blk}attn_norm.bias`, [4544], "F32"),
        tensor(`${blk}attn_qkv.weight`, [4544, 4672], type),
        tensor(`${blk}attn_output.weight`, [4544, 4544], type),
        tensor(`${blk}ffn_up.weight`, [4544, 18176], type),
        tensor(`${blk}ffn_down.weight`, [18176, 4544], type),
      ]),
      tensor("output_norm.weight", [4544], "F32"),
      tensor("output_norm.bias", [4544], "F32"),
      tensor("output.weight", [4544, 65024], type),
    ],
    { architecture: "falcon", metadata: shapeMetadata("falcon", 32, 71, 1) },
  );
}

/** The shapes of Llama-3.1-70B: eight heads share the values. */
export function llama70b(type: FormatName = "F16"): ModelInfo {
  return syntheticModel(
    [
      tensor("token_embd.weight", [8192, 128256], type),
      ...layers(80, (blk) => [
        tensor(`${blk}attn_q.weight`, [8192, 8192], type),
        tensor(`${blk}attn_k.weight`, [8192, 1024], type),
        tensor(`${blk}attn_v.weight`, [8192, 1024], type),
        tensor(`${blk}attn_output.weight`, [8192, 8192], type),
        tensor(`${blk}ffn_gate.weight`, [8192, 28672], type),
        tensor(`${blk}ffn_up.weight`, [8192, 28672], type),
        tensor(`${blk}ffn_down.weight`, [28672, 8192], type),
        tensor(`${blk}attn_norm.weight`, [8192], "F32"),
        tensor(`${blk}ffn_norm.weight`, [8192], "F32"),
      ]),
      tensor("output_norm.weight", [8192], "F32"),
      tensor("output.weight", [8192, 128256], type),
    ],
    { metadata: shapeMetadata("llama", 80, 64, 8) },
  );
}

/** The shapes of DeepSeek-V2-Lite: multi-head latent attention, a dense layer, then 64 experts and shared ones. */
export function deepseek(type: FormatName = "F16"): ModelInfo {
  const attention = (blk: string): TensorInfo[] => [
    tensor(`${blk}attn_norm.weight`, [2048], "F32"),
    tensor(`${blk}attn_q.weight`, [2048, 3072], type),
    tensor(`${blk}attn_kv_a_mqa.weight`, [2048, 576], type),
    tensor(`${blk}attn_kv_a_norm.weight`, [512], "F32"),
    tensor(`${blk}attn_kv_b.weight`, [512, 4096], type),
    tensor(`${blk}attn_output.weight`, [2048, 2048], type),
    tensor(`${blk}ffn_norm.weight`, [2048], "F32"),
  ];
  const feedForward = (blk: string, suffix: string, width: number, experts: number[]) => [
    tensor(`${blk}ffn_gate${suffix}.weight`, [2048, width, ...experts], type),
    tensor(`${blk}ffn_up${suffix}.weight`, [2048, width, ...experts], type),
    tensor(`${blk}ffn_down${suffix}.weight`, [width, 2048, ...experts], type),
  ];
  return syntheticModel(
    [
      tensor("token_embd.weight", [2048, 102400], type),
      ...layers(27, (blk) => [
        ...attention(blk),
        ...(blk === "blk.0."
          ? feedForward(blk, "", 10944, [])
          : [
              tensor(`${blk}ffn_gate_inp.weight`, [2048, 64], "F32"),
              ...feedForward(blk, "_exps", 1408, [64]),
              ...feedForward(blk, "_shexp", 2816, []),
            ]),
      ]),
      tensor("output_norm.weight", [2048], "F32"),
      tensor("output.weight", [2048, 102400], type),
    ],
    { architecture: "deepseek2", metadata: shapeMetadata("deepseek2", 27, 16, 16, 64) },
  );
}
