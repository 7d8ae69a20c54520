import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { outputOf } from "../../src/commands/output-name.js";
import { makePlan } from "../../src/plan/plan.js";
import { openSource } from "../../src/sources/open.js";
import type { ModelInfo } from "../../src/sources/model-info.js";
import { hfGoldens } from "../helpers/hf-golden.js";
import {
  buildLora,
  loraGolden,
  type LoraChanges,
  type LoraGolden,
} from "../helpers/lora-golden.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
let count = 0;
const folder = (): string => file(`lora-${(count += 1)}`);

const llama = loraGolden("llama");
const layer = "base_model.model.model.layers.0.";

async function open(changes: LoraChanges, golden: LoraGolden = llama): Promise<ModelInfo> {
  const { adapter, base } = buildLora(folder(), golden, changes);
  return openSource(adapter, { base });
}

async function failure(
  what: Promise<unknown>,
): Promise<{ code: NibbleErrorCode; message: string } | undefined> {
  try {
    await what;
    return undefined;
  } catch (error) {
    if (!isNibbleError(error)) throw error;
    return { code: error.code, message: error.message };
  }
}

const pair = (
  name: string,
  out: number,
  into: number,
  rank = 4,
): readonly (readonly [string, readonly number[]])[] => [
  [`${name}.lora_A.weight`, [rank, into]],
  [`${name}.lora_B.weight`, [out, rank]],
];
const query = pair(`${layer}self_attn.q_proj`, 64, 64);

function alphaOf({ metadata }: ModelInfo): unknown {
  return metadata.find(({ key }) => key === "adapter.lora.alpha")?.value;
}

describe("an adapter that GGUF cannot hold", () => {
  it.each([
    ["peft_type", "IA3"],
    ["use_dora", true],
    ["bias", "lora_only"],
    ["lora_bias", true],
    ["modules_to_save", ["lm_head"]],
    ["alpha_pattern", { q_proj: 3 }],
    ["layer_replication", [[0, 2]]],
    ["init_lora_weights", "pissa_niter_16"],
    ["invocation_string", "<|x|>"],
  ])("is refused by %s", async (field, value) => {
    const error = await failure(open({ config: { [field]: value } }));
    expect(error?.code).toBe("ERR_UNSUPPORTED");
    expect(error?.message).toContain(`${field} is`);
  });

  it.each<[string, NibbleErrorCode, LoraGolden["weights"], string]>([
    ["a half", "ERR_FORMAT", query.slice(0, 1), "lora_B"],
    ["a shape", "ERR_FORMAT", pair(`${layer}self_attn.q_proj`, 60, 64), "[60, 4]"],
    [
      "a layer",
      "ERR_FORMAT",
      pair(query[0]?.[0].replace(/\.0\..*/, ".7.mlp.up_proj") ?? "", 96, 64),
      "layers",
    ],
    ["a name", "ERR_UNSUPPORTED", pair(`${layer}self_attn.w_proj`, 64, 64), "no place"],
    [
      "a magnitude",
      "ERR_UNSUPPORTED",
      [[`${layer}self_attn.q_proj.lora_magnitude_vector`, [64]]],
      "no place",
    ],
    [
      "the embedding",
      "ERR_UNSUPPORTED",
      [["base_model.model.model.embed_tokens.weight", [64, 64]]],
      "whole tensor",
    ],
    ["a norm", "ERR_UNSUPPORTED", pair(`${layer}input_layernorm`, 64, 64), "no matrix"],
    ["nothing", "ERR_UNSUPPORTED", [], "no LoRA"],
  ])("is refused by its tensors: %s", async (_, code, weights, words) => {
    const error = await failure(open({ weights }));
    expect(error).toMatchObject({ code });
    expect(error?.message).toContain(words);
  });

  it("is refused where embedding and head are one", async () => {
    const weights = pair("base_model.model.lm_head", 64, 64);
    const tied = await failure(open({ weights, baseConfig: { tie_word_embeddings: true } }));
    expect(tied?.message).toContain("one tensor for both");
    const wte = "base_model.model.transformer.wte.lora_embedding_";
    const positions = "base_model.model.transformer.wpe.lora_embedding_";
    for (const [name, words] of [
      [wte, "one tensor for both"],
      [positions, "positions"],
    ] as const) {
      const embedding = [
        [`${name}A`, [4, name === wte ? 64 : 1024]],
        [`${name}B`, [64, 4]],
      ] as const;
      const error = await failure(open({ weights: embedding }, { ...llama, base: "gpt2" }));
      expect(error?.message).toContain(words);
    }
    const own = loraGolden("gemma2");
    expect(await failure(open({ weights }, own))).toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  it("is refused without its base model or weights", async () => {
    const { adapter, base } = buildLora(folder(), llama);
    for (const given of [undefined, adapter, join(base, "config.json")]) {
      const error = await failure(openSource(adapter, given === undefined ? {} : { base: given }));
      expect(error).toMatchObject({ code: "ERR_ARGUMENT" });
      expect(error?.message).toMatch(/^--base: /);
    }
    const odd = { base_model_name_or_path: `\0${"x".repeat(9000)}` };
    const named = openSource(buildLora(folder(), llama, { config: odd }).adapter);
    expect(await failure(named)).toMatchObject({ code: "ERR_ARGUMENT" });
    rmSync(join(adapter, "adapter_model.safetensors"));
    writeFileSync(join(adapter, "adapter_model.bin"), "");
    const error = await failure(openSource(adapter, { base }));
    expect(error?.message).toContain("adapter_model.bin, a PyTorch pickle");
  });

  it("is refused in small types", async () => {
    const source = await open({});
    expect(() => makePlan(source, { recipe: "Q4_0" })).toThrow(/adapter is small/);
  });
});

describe("an adapter", () => {
  it("finds the base model that it names", async () => {
    const { base } = buildLora(folder(), llama);
    const { adapter } = buildLora(folder(), llama, { config: { base_model_name_or_path: base } });
    expect((await openSource(adapter)).tensors).toHaveLength(30);
  });

  it("is named as one, and has no file type", async () => {
    const source = await open({});
    expect(outputOf(source, "F16")).toBe("My-Llama-Lora-F16-LoRA.gguf");
    const keys = makePlan(source, { recipe: "F16" }).metadata.map(({ key }) => key);
    expect(keys).not.toContain("general.file_type");
  });

  it("has an alpha that gives rank-stabilized scales: alpha / rank is lora_alpha / sqrt(rank)", async () => {
    const config = { use_rslora: true, lora_alpha: 10 };
    const model = await open({ config, weights: query });
    expect(alphaOf(model)).toBe(10 * Math.sqrt(4));
    const weights = [...query, ...pair(`${layer}mlp.up_proj`, 96, 64, 8)];
    expect(await failure(open({ config, weights }))).toMatchObject({ code: "ERR_UNSUPPORTED" });
    expect(alphaOf(await open({ config: { lora_alpha: 10 }, weights }))).toBe(10);
  });

  it("keeps the tokens that begin it", async () => {
    const { metadata } = await open({ config: { alora_invocation_tokens: [3, 5] } });
    expect(metadata.at(-1)).toEqual({
      key: "adapter.alora.invocation_tokens",
      type: "array",
      elementType: "u32",
      value: [3, 5],
    });
  });

  it("has B moved as fused rows are, and A and B as they are of weights stored [in, out]", async () => {
    const neox = { ...llama, base: "gptneox" };
    const fused = "base_model.model.gpt_neox.layers.0.attention.query_key_value";
    const [a, b] = (await open({ weights: pair(fused, 192, 64) }, neox)).tensors;
    expect([a?.name, a?.shape, a?.pieces.length]).toEqual([
      "blk.0.attn_qkv.weight.lora_a",
      [64, 4],
      1,
    ]);
    expect(b?.shape).toEqual([4, 192]);
    expect(b?.pieces.length).toBeGreaterThan(1);
    const gpt2 = { ...llama, base: "gpt2" };
    const up = "base_model.model.transformer.h.0.mlp.c_fc";
    const inner = Number(hfGoldens.find(({ name }) => name === "gpt2")?.config["n_inner"] ?? 256);
    const plain = (await open({ weights: pair(up, inner, 64) }, gpt2)).tensors;
    expect(plain.map(({ shape, transform }) => [shape, transform])).toEqual([
      [[64, 4], undefined],
      [[4, inner], undefined],
    ]);
  });

  it("has its experts stacked, all or none", async () => {
    const moe = { ...llama, base: "qwen3moe" };
    const { config = {} } = hfGoldens.find(({ name }) => name === "qwen3moe") ?? {};
    const experts = Number(config["num_experts"]);
    const rows = Number(config["moe_intermediate_size"]);
    const weights = Array.from({ length: experts }, (_, i) =>
      pair(`${layer}mlp.experts.${i}.up_proj`, rows, Number(config["hidden_size"])),
    ).flat();
    const [a, b] = (await open({ weights }, moe)).tensors;
    expect(a?.shape).toEqual([config["hidden_size"], 4, experts]);
    expect(b?.shape).toEqual([4, rows, experts]);
    const error = await failure(open({ weights: weights.slice(2) }, moe));
    expect(error?.message).toContain("not all");
  });

  it("warns of norms, which llama.cpp leaves out", async () => {
    const plan = makePlan(await open({}, loraGolden("gemma2")), { recipe: "F16" });
    expect(plan.warnings).toEqual([expect.stringContaining("3 norms")]);
  });

  it("is not what --base is for a model", async () => {
    const path = folder();
    mkdirSync(path);
    const error = await failure(openSource(path, { base: path }));
    expect(error?.message).toMatch(/^--base: expected a LoRA adapter/);
  });
});
