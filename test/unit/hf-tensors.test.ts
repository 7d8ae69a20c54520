import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { openSource } from "../../src/sources/open.js";
import type { ModelInfo } from "../../src/sources/model-info.js";
import { buildGolden, goldenWeight, hfGoldens, type HfGolden } from "../helpers/hf-golden.js";
import type { BuiltWeight } from "../helpers/safetensors-builder.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
let count = 0;

function golden(name: string): HfGolden {
  const found = hfGoldens.find((one) => one.name === name);
  if (found === undefined) throw new RangeError(name);
  return found;
}

interface Changes {
  readonly config?: object;
  readonly weights?: (weights: readonly BuiltWeight[]) => readonly BuiltWeight[];
}

async function open(name: string, { config, weights }: Changes = {}): Promise<ModelInfo> {
  const model = golden(name);
  const plain = model.weights.map(([weight, shape]) => goldenWeight(weight, shape, model.dtype));
  const path = buildGolden(file(`model-${(count += 1)}`), model, {
    config: { ...model.config, ...config },
    weights: weights?.(plain) ?? plain,
  });
  return openSource(path);
}

const renamed =
  (from: RegExp, to: string) =>
  (weights: readonly BuiltWeight[]): readonly BuiltWeight[] =>
    weights.map((weight) => ({ ...weight, name: weight.name.replace(from, to) }));
const without =
  (name: string) =>
  (weights: readonly BuiltWeight[]): readonly BuiltWeight[] =>
    weights.filter((weight) => weight.name !== name);
const besides =
  (name: string, shape: readonly number[]) =>
  (weights: readonly BuiltWeight[]): readonly BuiltWeight[] => [
    ...weights,
    goldenWeight(name, shape),
  ];
const inPlaceOf =
  (name: string, shape: readonly number[]) =>
  (weights: readonly BuiltWeight[]): readonly BuiltWeight[] =>
    besides(name, shape)(without(name)(weights));

const experts = 8;
const expert = (layer: number, i: number, part: string): string =>
  `model.layers.${layer}.mlp.experts.${i}.${part}_proj.weight`;

/** Qwen's experts in one tensor per layer, as transformers has them in memory: gate and up of each, then all downs. */
function packedExperts(weights: readonly BuiltWeight[]): readonly BuiltWeight[] {
  const byName = new Map(weights.map((weight) => [weight.name, weight]));
  const packed = [0, 1].flatMap((layer) => {
    const parts = (names: readonly string[]): BuiltWeight[] =>
      Array.from({ length: experts }, (_, i) =>
        names.map((part) => byName.get(expert(layer, i, part)) as BuiltWeight),
      ).flat();
    const joined = (name: string, shape: readonly number[], all: readonly BuiltWeight[]) => ({
      name: `model.layers.${layer}.mlp.experts.${name}`,
      dtype: "BF16",
      shape,
      data: Buffer.concat(all.map(({ data }) => data)),
    });
    return [
      joined("gate_up_proj", [experts, 64, 64], parts(["gate", "up"])),
      joined("down_proj", [experts, 64, 32], parts(["down"])),
    ];
  });
  return [...weights.filter(({ name }) => !/experts\.\d/.test(name)), ...packed];
}

const shapes = ({ tensors }: ModelInfo) =>
  tensors.map(({ name, shape }) => `${name} ${shape.join("x")}`).sort();
const own = ({ metadata }: ModelInfo) =>
  metadata.filter(({ key }) => !/^(general|tokenizer)\./.test(key));

describe("the same model", () => {
  it.each<[string, string, Changes]>([
    ["gpt2", "without its prefix", { weights: renamed(/^transformer\./, "") }],
    [
      "gpt2",
      "with the buffers of old files",
      { weights: besides("transformer.h.0.attn.bias", [1, 1, 64, 64]) },
    ],
    [
      "gemma3-vision",
      "by newer names",
      { weights: renamed(/^language_model\.model\./, "model.language_model.") },
    ],
    ["qwen3moe", "with its experts in one tensor", { weights: packedExperts }],
    [
      "gemma",
      "with a head that is the embedding",
      { weights: besides("lm_head.weight", [64, 64]) },
    ],
    [
      "llama3",
      "with rope_parameters",
      {
        config: {
          rope_scaling: undefined,
          rope_theta: undefined,
          rope_parameters: {
            ...(golden("llama3").config["rope_scaling"] as object),
            rope_theta: 500000,
          },
        },
      },
    ],
    [
      "gemma3-vision",
      "with rope_parameters by kind of layer",
      {
        config: {
          text_config: {
            ...(golden("gemma3-vision").config["text_config"] as object),
            rope_scaling: undefined,
            rope_parameters: {
              full_attention: { rope_type: "linear", factor: 8, rope_theta: 1e6 },
              sliding_attention: { rope_type: "default", rope_theta: 10000 },
            },
          },
        },
      },
    ],
    [
      "phi3-longrope",
      "with the older name of its scaling",
      {
        config: {
          rope_scaling: {
            ...(golden("phi3-longrope").config["rope_scaling"] as object),
            type: "su",
          },
        },
      },
    ],
  ])("as %s, %s", async (name, _how, changes) => {
    const [one, other] = [await open(name), await open(name, changes)];
    expect(shapes(other)).toEqual(shapes(one));
    expect(own(other)).toEqual(own(one));
  });

  it("has packed experts' bytes in the order of the others'", async () => {
    const { tensors } = await open("qwen3moe", { weights: packedExperts });
    const pieces = (name: string) => tensors.find((one) => one.name === name)?.pieces ?? [];
    const [gate, up] = [pieces("blk.1.ffn_gate_exps.weight"), pieces("blk.1.ffn_up_exps.weight")];
    const bytes = 32 * 64 * 2;
    expect(gate).toHaveLength(experts);
    for (const [i, piece] of gate.entries()) {
      expect(piece.bytes).toBe(bytes);
      expect(up[i]?.offset).toBe(piece.offset + bytes);
      expect(gate[i + 1]?.offset ?? piece.offset + 2 * bytes).toBe(piece.offset + 2 * bytes);
    }
  });
});

const q = "model.layers.1.self_attn.q_proj";

describe("refuses", () => {
  it.each<[string, string, NibbleErrorCode, RegExp, Changes]>([
    [
      "mixtral",
      "an expert that is missing",
      "ERR_FORMAT",
      /layers\.1\.block_sparse_moe\.experts\.5\.w2\.weight: is missing \(GGUF's blk\.1\.ffn_down_exps\.weight\)/,
      { weights: without("model.layers.1.block_sparse_moe.experts.5.w2.weight") },
    ],
    [
      "mixtral",
      "an expert too many",
      "ERR_FORMAT",
      /experts\.8\.w2\.weight: is beyond the 8 experts of config\.json/,
      { weights: besides("model.layers.1.block_sparse_moe.experts.8.w2.weight", [64, 96]) },
    ],
    [
      "mixtral",
      "experts of two types",
      "ERR_FORMAT",
      /experts\.7\.w2\.weight: has type F32, and .*experts\.0\.w2\.weight.* BF16/,
      {
        weights: (weights) => [
          ...without("model.layers.0.block_sparse_moe.experts.7.w2.weight")(weights),
          goldenWeight("model.layers.0.block_sparse_moe.experts.7.w2.weight", [64, 96], "F32"),
        ],
      },
    ],
    [
      "mixtral",
      "no number of experts",
      "ERR_FORMAT",
      /experts/,
      { config: { num_local_experts: undefined } },
    ],
    [
      "qwen3moe",
      "experts both ways",
      "ERR_FORMAT",
      /is there besides/,
      {
        weights: (weights) => [
          ...weights,
          ...packedExperts(weights).filter(({ name }) => /down_proj$/.test(name)),
        ],
      },
    ],
    [
      "qwen2",
      "a bias that is missing",
      "ERR_FORMAT",
      /model\.layers\.1\.self_attn\.q_proj\.bias: is missing \(GGUF's blk\.1\.attn_q\.bias\)/,
      { weights: without(`${q}.bias`) },
    ],
    [
      "llama",
      "a bias that config.json does not know",
      "ERR_UNSUPPORTED",
      /q_proj\.bias has no place in GGUF's llama architecture, as config\.json/,
      { weights: besides(`${q}.bias`, [64]) },
    ],
    [
      "llama",
      "a weight of another shape",
      "ERR_FORMAT",
      /down_proj\.weight: has the shape \[64, 95\], and config\.json makes it \[64, 96\] \(width, feedForward\)/,
      { weights: inPlaceOf("model.layers.1.mlp.down_proj.weight", [64, 95]) },
    ],
    [
      "llama",
      "a norm of another length",
      "ERR_FORMAT",
      /model\.norm\.weight: has the shape \[63\]/,
      { weights: inPlaceOf("model.norm.weight", [63]) },
    ],
    [
      "llama",
      "a weight under two names",
      "ERR_FORMAT",
      /tensor norm\.weight: stands there twice|model\.norm\.weight: stands there twice/,
      { weights: besides("norm.weight", [64]) },
    ],
    [
      "llama",
      "a head that is missing and not tied",
      "ERR_FORMAT",
      /tensor lm_head\.weight: is missing/,
      { weights: without("lm_head.weight") },
    ],
    [
      "gpt2",
      "positions of another number",
      "ERR_FORMAT",
      /wpe\.weight.*positions/,
      { config: { n_positions: 128, n_ctx: 128 } },
    ],
    [
      "stablelm-qknorm",
      "a head's norm that is missing",
      "ERR_FORMAT",
      /k_layernorm\.norms\.1\.weight: is missing/,
      { weights: without("model.layers.0.self_attn.k_layernorm.norms.1.weight") },
    ],
    [
      "gptneox",
      "heads that share none",
      "ERR_FORMAT",
      /num_key_value_heads.*does not divide/,
      { config: { num_key_value_heads: 3 } },
    ],
  ])("%s with %s", async (name, _what, code, says, changes) => {
    const error: unknown = await open(name, changes).catch((reason: unknown) => reason);
    expect(isNibbleError(error, code), String(error)).toBe(true);
    expect((error as Error).message).toMatch(says);
  });

  it.each<[string, object, RegExp]>([
    ["mixtral", { num_local_experts: 2 ** 31 - 1 }, /num_local_experts: expected an integer/],
    ["llama3", { head_dim: 2 ** 30 }, /head_dim: expected an integer/],
    ["llama3", { hidden_size: 2 ** 30, head_dim: undefined }, /head_dim: is 268435456/],
    ["llama3", { num_key_value_heads: 0 }, /num_key_value_heads: expected an integer/],
    [
      "llama3",
      { rope_scaling: { rope_type: "llama3", low_freq_factor: 4, high_freq_factor: 4 } },
      /high_freq_factor: is 4, not above 4/,
    ],
    [
      "phi3-longrope",
      { rope_scaling: { type: "longrope", long_factor: [1] } },
      /long_factor: expected 8/,
    ],
  ])("%s with %j, before it takes memory", async (name, config, says) => {
    await expect(open(name, { config })).rejects.toMatchObject({
      code: "ERR_FORMAT",
      message: expect.stringMatching(says) as string,
    });
  });

  it.each<[string, string, unknown]>([
    ["llama", "hidden_act", "gelu"],
    ["llama", "partial_rotary_factor", 0.5],
    ["qwen2", "use_sliding_window", true],
    ["qwen3", "attention_bias", true],
    ["qwen2moe", "norm_topk_prob", true],
    ["qwen3moe", "norm_topk_prob", false],
    ["qwen3moe", "decoder_sparse_step", 2],
    ["qwen3moe", "mlp_only_layers", [0]],
    ["gemma2", "query_pre_attn_scalar", 144],
    ["gemma2", "layer_types[1]", ["sliding_attention", "sliding_attention"]],
    ["gemma3", "attn_logit_softcapping", 50],
    ["gemma3", "sliding_window_pattern", 2],
    ["gemma3", "layer_types[0]", ["full_attention"]],
    ["smollm3", "no_rope_layers[3]", [1, 1, 1, 1]],
    ["smollm3", "no_rope_layer_interval", 2],
    ["granite", "head_dim", 32],
    ["phi3", "attention_bias", true],
    ["gpt2", "scale_attn_by_inverse_layer_idx", true],
    ["gptneox", "attention_bias", false],
    ["starcoder2", "use_bias", false],
    ["falcon", "alibi", true],
    ["falcon", "multi_query", false],
    ["falcon", "parallel_attn", false],
    ["falcon-new", "bias", true],
  ])("%s with another %s", async (name, field, value) => {
    const error: unknown = await open(name, {
      config: { [field.replace(/\[.*/, "")]: value },
    }).catch((reason: unknown) => reason);
    expect(isNibbleError(error, "ERR_UNSUPPORTED"), String(error)).toBe(true);
    expect((error as { details: object }).details).toMatchObject({ what: field });
    expect((error as Error).message).toMatch(/which GGUF's \w+ architecture does not have/);
  });

  it.each([
    ["qwen2", "llama3"],
    ["gemma", "linear"],
    ["gptneox", "linear"],
    ["phi3", "yarn"],
    ["llama", "dynamic"],
    ["llama", "constructor"],
  ])("%s with a rotary embedding that is scaled by %s", async (name, rope_type) => {
    const config = { rope_scaling: { rope_type, factor: 4 } };
    await expect(open(name, { config })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      details: { what: "rope_scaling", value: rope_type },
    });
  });
});
