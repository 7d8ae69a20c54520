#pragma once

#include <cstdint>
#include <vector>

#include "backends/backend.h"

// A model as the graph sees it. src/run/native-model.ts makes it from the metadata and has checked
// every shape; nothing here is a user's input any more.
namespace nibble {

// Radians per token for every pair of values that is turned: at most head_dim / 2.
struct RopeAngles {
  std::vector<double> frequencies;
  // Instead of them in a context of more than long_from tokens; empty where there are none.
  std::vector<double> long_frequencies;
  int64_t long_from;
  float scale;  // of cosine and sine

  const std::vector<double>& in_context(int64_t tokens) const {
    return long_frequencies.empty() || tokens <= long_from ? frequencies : long_frequencies;
  }
};

// What differs from layer to layer beside the tensors.
struct LayerShape {
  int64_t window;  // of attention; 0: none
  int64_t rope;    // which of the config's angles
  // Attention and feed-forward read the same residual stream; else the second sees the first's.
  bool is_parallel;
};

// A layer with experts: a router gives each token to `used` of `count` feed-forward networks.
struct ExpertsConfig {
  int64_t count;  // 0: there are none
  int64_t used;
  int64_t width;
  bool sum_to_one;       // the weights of the experts that a token goes to
  int64_t shared_width;  // of the one that every token goes to; 0: there is none
};

struct ModelConfig {
  int64_t width;  // of the residual stream
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t ffn_width;
  int64_t vocabulary;
  int64_t positions;    // learned ones, the longest context; 0: none
  bool norms_centered;  // see Norm
  float norm_eps;
  Activation activation;
  float embedding_scale;
  float residual_scale;  // of what attention and feed-forward add to the stream
  float attention_scale;
  float attention_cap;  // see AttentionShape
  float logit_scale;
  float logit_cap;   // 0: none
  bool rope_halves;  // see Rope
  std::vector<RopeAngles> ropes;
  std::vector<LayerShape> layers;
  ExpertsConfig experts;
};

}  // namespace nibble
