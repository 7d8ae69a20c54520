import {
  bytesWeight,
  compressedWeight,
  gptqWeight,
  scaleNumbers,
  type EncodedWeight,
  type Shape,
} from "./encoded-weights.js";
import { tinyConfig } from "./hf-builder.js";
import { randomSource } from "./random.js";
import type { BuiltWeight } from "./safetensors-builder.js";

/** A way to quantize a model, and what its config.json says of it. */
export interface EncodedKind {
  readonly quantization: Readonly<Record<string, unknown>>;
  /** `name` is that of the layer, without `.weight`. */
  readonly encode: (name: string, shape: Required<Shape>) => EncodedWeight;
}

const compressed = (format: string, weights: Readonly<Record<string, unknown>>) => ({
  quant_method: "compressed-tensors",
  format,
  config_groups: { group_0: { targets: ["Linear"], weights } },
});

/** One of each kind that upstream's converter reads too. */
export const encodedKinds: Readonly<Record<string, EncodedKind>> = {
  "fp8-blocks": {
    quantization: { quant_method: "fp8", weight_block_size: [48, 32] },
    encode: (name, { rows, columns, seed }) =>
      bytesWeight({
        ...{ name: `${name}.weight`, rows, columns, seed, block: [48, 32] },
        scaleShape: [Math.ceil(rows / 48), Math.ceil(columns / 32)],
      }),
  },
  "fp8-tensor": {
    quantization: { quant_method: "fp8" },
    encode: (name, { rows, columns, seed }) =>
      bytesWeight({
        name: `${name}.weight`,
        rows,
        columns,
        seed,
        scaleShape: [],
        scaleType: "BF16",
      }),
  },
  "gptq-4-act-order": {
    quantization: { quant_method: "gptq", bits: 4, group_size: 32, desc_act: true, sym: false },
    encode: (name, shape) => gptqWeight({ name, ...shape, groupSize: 32, actOrder: true }),
  },
  "gptq-8-v2": {
    quantization: { quant_method: "gptq", bits: 8, group_size: -1, checkpoint_format: "gptq_v2" },
    encode: (name, shape) => gptqWeight({ name, ...shape, bits: 8, zeroBias: 0 }),
  },
  "int4-packed": {
    quantization: compressed("pack-quantized", {
      ...{ num_bits: 4, type: "int", strategy: "group", group_size: 32 },
    }),
    encode: (name, shape) =>
      compressedWeight({ name, ...shape, groupSize: 32, zeroPoints: "words", scaleType: "BF16" }),
  },
  "int8-packed": {
    quantization: compressed("pack-quantized", {
      ...{ num_bits: 8, type: "int", strategy: "group", group_size: 32 },
    }),
    encode: (name, shape) => compressedWeight({ name, ...shape, bits: 8, groupSize: 32 }),
  },
  "int8-rows": {
    quantization: compressed("int-quantized", { num_bits: 8, type: "int", strategy: "channel" }),
    encode: (name, { rows, columns, seed }) =>
      bytesWeight({
        ...{ name: `${name}.weight`, rows, columns, seed, dtype: "I8", block: [1, columns] },
        ...{ scaleShape: [rows, 1], scaleName: `${name}.weight_scale`, scaleType: "BF16" },
      }),
  },
  "fp8-rows": {
    quantization: compressed("float-quantized", {
      ...{ num_bits: 8, type: "float", strategy: "channel" },
    }),
    encode: (name, { rows, columns, seed }) =>
      bytesWeight({
        ...{ name: `${name}.weight`, rows, columns, seed, block: [1, columns] },
        ...{ scaleShape: [rows, 1], scaleName: `${name}.weight_scale` },
      }),
  },
};

const layer = "model.layers.0.";
const linear: Readonly<Record<string, readonly [number, number]>> = {
  [`${layer}self_attn.q_proj`]: [64, 64],
  [`${layer}self_attn.k_proj`]: [32, 64],
  [`${layer}self_attn.v_proj`]: [32, 64],
  [`${layer}self_attn.o_proj`]: [64, 64],
  [`${layer}mlp.gate_proj`]: [96, 64],
  [`${layer}mlp.up_proj`]: [96, 64],
  [`${layer}mlp.down_proj`]: [64, 96],
};
const plain: Readonly<Record<string, readonly number[]>> = {
  "model.embed_tokens.weight": [16, 64],
  "lm_head.weight": [16, 64],
  "model.norm.weight": [64],
  [`${layer}input_layernorm.weight`]: [64],
  [`${layer}post_attention_layernorm.weight`]: [64],
};

/** A Llama of one layer whose linear layers are encoded; the rest is BF16. Its numbers come from a formula. */
export function encodedModel(kind: EncodedKind): {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: readonly BuiltWeight[];
} {
  const encoded = Object.entries(linear).flatMap(
    ([name, [rows, columns]], i) => kind.encode(name, { rows, columns, seed: i + 1 }).weights,
  );
  const others = Object.entries(plain).map(([name, shape], i): BuiltWeight => {
    const count = shape.reduce((product, n) => product * n, 1);
    const { data } = scaleNumbers("BF16", count, randomSource(100 + i));
    return { name, dtype: "BF16", shape, data };
  });
  const config = {
    ...tinyConfig,
    ...{ hidden_size: 64, intermediate_size: 96, num_attention_heads: 4, num_key_value_heads: 2 },
    ...{ torch_dtype: "bfloat16", quantization_config: kind.quantization },
  };
  return { config, weights: [...encoded, ...others] };
}
