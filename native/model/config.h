#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/weight.h"

// A model as the graph sees it. src/run/native-model.ts makes it from the metadata and has checked
// every shape; nothing here is a user's input any more.
namespace nibble {

struct ModelConfig {
  int64_t layers;
  int64_t width;  // of the residual stream
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t ffn_width;
  int64_t vocabulary;
  float rms_eps;
  float attention_scale;
  int64_t window;    // 0: none
  bool rope_halves;  // see Rope
  float rope_scale;  // of cosine and sine
  // Radians per token for every pair of values that is turned: at most head_dim / 2.
  std::vector<double> rope_frequencies;
};

// One layer; biases and the norms of queries and keys are there or not.
struct Layer {
  Weight attn_norm, attn_q, attn_k, attn_v, attn_output;
  Weight attn_q_bias, attn_k_bias, attn_v_bias, attn_output_bias;
  Weight attn_q_norm, attn_k_norm;
  Weight ffn_norm, ffn_gate, ffn_up, ffn_down;
  Weight ffn_gate_bias, ffn_up_bias, ffn_down_bias;
};

// The names of GGUF, without "blk.N.".
struct LayerTensor {
  const char* name;
  Weight Layer::*weight;
};

constexpr LayerTensor kLayerTensors[] = {
    {"attn_norm.weight", &Layer::attn_norm},
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
    {"ffn_gate.weight", &Layer::ffn_gate},
    {"ffn_up.weight", &Layer::ffn_up},
    {"ffn_down.weight", &Layer::ffn_down},
    {"ffn_gate.bias", &Layer::ffn_gate_bias},
    {"ffn_up.bias", &Layer::ffn_up_bias},
    {"ffn_down.bias", &Layer::ffn_down_bias},
};

}  // namespace nibble
