import { describe, expect, it } from "vitest";
import { keptReason, layerOf, roleOf } from "../../src/plan/roles.js";

describe("roleOf", () => {
  it.each([
    ["output.weight", "output"],
    ["output_norm.weight", "other"],
    ["token_embd.weight", "token_embd"],
    ["per_layer_token_embd.weight", "token_embd"],
    ["v.token_embd.weight", "other"],
    ["blk.0.attn_qkv.weight", "attn_qkv"],
    ["blk.12.attn_kv_b.weight", "attn_kv_b"],
    ["blk.0.attn_kv_a_mqa.weight", "other"],
    ["blk.0.attn_v.weight", "attn_v"],
    ["blk.0.attn_k.weight", "attn_k"],
    ["blk.0.attn_q.weight", "attn_q"],
    ["blk.0.attn_q_norm.weight", "other"],
    ["blk.0.attn_output.weight", "attn_output"],
    ["blk.0.attn_v.bias", "other"],
    ["blk.0.ffn_up_exps.weight", "ffn_up"],
    ["blk.0.ffn_gate_up_exps.weight", "ffn_gate"],
    ["blk.0.ffn_down_shexp.weight", "ffn_down"],
    ["blk.0.ssm_in.weight", "other"],
    ["", "other"],
  ])("%s is %s", (name, role) => {
    expect(roleOf(name)).toBe(role);
  });
});

describe("layerOf", () => {
  it.each([
    ["blk.0.attn_q.weight", 0],
    ["blk.127.ffn_up.weight", 127],
    ["output.weight", -1],
    ["v.blk.3.attn_q.weight", -1],
    ["blk.x.weight", -1],
  ])("%s is in layer %i", (name, layer) => {
    expect(layerOf(name)).toBe(layer);
  });
});

describe("keptReason", () => {
  it.each([
    ["blk.0.attn_q.weight", [64]],
    ["blk.0.attn_q.weight", [64, 1]],
    ["blk.0.attn_q.weight", [64, 1, 1, 1]],
    ["blk.0.attn_q.bias", [64, 64]],
    ["blk.0.attn_q_norm.weight", [64, 64]],
    ["blk.0.ffn_gate_inp.weight", [64, 8]],
    ["blk.0.ffn_gate_tid2eid.weight", [6, 1000]],
    ["position_embd.weight", [64, 512]],
    ["token_types.weight", [64, 2]],
    ["v.position_embd.weight", [64, 512]],
    ["blk.0.ssm_conv1d.weight", [4, 64]],
    ["blk.0.shortconv.conv.weight", [3, 64]],
    ["blk.0.time_mix_w1.weight", [64, 32]],
    ["blk.0.time_mix_decay_w2.weight", [64, 32]],
    ["blk.0.time_mix_lerp_fused.weight", [64, 1, 1, 5]],
    ["blk.0.altup_router.weight", [4, 64]],
    ["per_layer_model_proj.weight", [64, 64]],
    ["dec.blk.0.attn_rel_b.weight", [8, 32]],
    ["v.patch_embd.weight", [14, 14, 3, 64]],
    ["a.rvq.codebook.0.weight", [64, 64]],
  ])("%s of %j is kept", (name, shape) => {
    expect(keptReason(name, shape)).toBeTypeOf("string");
  });

  it.each([
    ["blk.0.attn_q.weight", [64, 64]],
    ["blk.0.attn_q.weight", [64, 1, 2]],
    ["blk.0.ffn_gate_exps.weight", [64, 64, 8]],
    ["output.weight", [64, 512]],
    ["token_embd.weight", [64, 512]],
    ["blk.0.time_mix_key.weight", [64, 64]],
    ["anything.else.weight", [64, 64]],
  ])("%s of %j may be quantized", (name, shape) => {
    expect(keptReason(name, shape)).toBeUndefined();
  });
});
