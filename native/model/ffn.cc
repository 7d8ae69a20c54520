#include <algorithm>

#include "model/context.h"

// The feed-forward network of a layer: down(activation(gate(x)) * up(x)), or without a gate
// down(activation(up(x))).
namespace nibble {

void Context::reserve_ffn(int64_t rows) {
  const ExpertsConfig& experts = model_->config.experts;
  const int64_t widest =
      std::max({model_->config.ffn_width, experts.used * experts.width, experts.shared_width});
  gate_.resize(static_cast<size_t>(rows * widest));
  up_.resize(gate_.size());
}

// Leaves in branch_ what comes out.
void Context::feed_forward(const Layer& layer, const float* x, int64_t rows) {
  const ModelConfig& config = model_->config;
  const Product up = {&layer.ffn_up, floats(layer.ffn_up_bias), up_.data()};
  float* hidden = up_.data();
  if (layer.ffn_gate) {
    hidden = gate_.data();
    multiply({{&layer.ffn_gate, floats(layer.ffn_gate_bias), hidden}, up}, x, rows);
    backend_->activate(config.activation, hidden, up_.data(), rows * layer.ffn_up.rows);
  } else {
    multiply({up}, x, rows);
    backend_->activate(config.activation, hidden, nullptr, rows * layer.ffn_up.rows);
  }
  multiply({{&layer.ffn_down, floats(layer.ffn_down_bias), branch_.data()}}, hidden, rows);
}

}  // namespace nibble
