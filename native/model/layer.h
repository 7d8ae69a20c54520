#pragma once

#include <vector>

#include "backends/weight.h"

// The tensors of a layer. Which of them a model has says most of what its graph does: a norm that
// is not there is left out, a feed-forward network without a gate has none, and so on.
namespace nibble {

struct Expert {
  Weight gate, up, down;
};

struct Layer {
  Weight attn_norm, attn_norm_bias, attn_post_norm;
  Weight attn_q, attn_k, attn_v, attn_output;
  Weight attn_q_bias, attn_k_bias, attn_v_bias, attn_output_bias;
  // Rows of a head's length (one for all, or one per head), or a row over all heads.
  Weight attn_q_norm, attn_k_norm;
  Weight ffn_norm, ffn_norm_bias, ffn_post_norm;
  Weight ffn_gate, ffn_up, ffn_down;
  Weight ffn_gate_bias, ffn_up_bias, ffn_down_bias;
  // The router and its experts, one matrix below the other.
  Weight ffn_gate_inp, ffn_gate_exps, ffn_up_exps, ffn_down_exps;
  // What every token goes to besides, and how much of it.
  Weight ffn_gate_shexp, ffn_up_shexp, ffn_down_shexp, ffn_gate_inp_shexp;

  std::vector<Expert> experts;
};

// The names of GGUF, without "blk.N.".
struct LayerTensor {
  const char* name;
  Weight Layer::*weight;
};

constexpr LayerTensor kLayerTensors[] = {
    {"attn_norm.weight", &Layer::attn_norm},
    {"attn_norm.bias", &Layer::attn_norm_bias},
    {"post_attention_norm.weight", &Layer::attn_post_norm},
    {"attn_q.weight", &Layer::attn_q},
    {"attn_k.weight", &Layer::attn_k},
    {"attn_v.weight", &Layer::attn_v},
    {"attn_output.weight", &Layer::attn_output},
    {"attn_q.bias", &Layer::attn_q_bias},
    {"attn_k.bias", &Layer::attn_k_bias},
    {"attn_v.bias", &Layer::attn_v_bias},
    {"attn_output.bias", &Layer::attn_output_bias},
    {"attn_q_norm.weight", &Layer::attn_q_norm},
    {"attn_k_norm.weight", &Layer::attn_k_norm},
    {"ffn_norm.weight", &Layer::ffn_norm},
    {"ffn_norm.bias", &Layer::ffn_norm_bias},
    {"post_ffw_norm.weight", &Layer::ffn_post_norm},
    {"ffn_gate.weight", &Layer::ffn_gate},
    {"ffn_up.weight", &Layer::ffn_up},
    {"ffn_down.weight", &Layer::ffn_down},
    {"ffn_gate.bias", &Layer::ffn_gate_bias},
    {"ffn_up.bias", &Layer::ffn_up_bias},
    {"ffn_down.bias", &Layer::ffn_down_bias},
    {"ffn_gate_inp.weight", &Layer::ffn_gate_inp},
    {"ffn_gate_exps.weight", &Layer::ffn_gate_exps},
    {"ffn_up_exps.weight", &Layer::ffn_up_exps},
    {"ffn_down_exps.weight", &Layer::ffn_down_exps},
    {"ffn_gate_shexp.weight", &Layer::ffn_gate_shexp},
    {"ffn_up_shexp.weight", &Layer::ffn_up_shexp},
    {"ffn_down_shexp.weight", &Layer::ffn_down_shexp},
    {"ffn_gate_inp_shexp.weight", &Layer::ffn_gate_inp_shexp},
};

}  // namespace nibble
