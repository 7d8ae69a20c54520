#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/context.h"
#include "model/routing.h"

// Feed-forward networks of which every token goes to a few: the tokens of an expert lie side by
// side, so that its weights are read once for all of them.
namespace nibble {

void Context::reserve_experts(int64_t rows) {
  const ExpertsConfig& experts = model_->config.experts;
  router_.resize(static_cast<size_t>(rows * experts.count));
  sorted_.resize(static_cast<size_t>(rows * experts.used * model_->config.width));
  expert_out_.resize(sorted_.size());
}

// What the tokens' experts give, and the one of all tokens, goes into the residual stream.
void Context::add_experts(const Layer& layer, const float* x, int64_t rows) {
  const ModelConfig& config = model_->config;
  const ExpertsConfig& experts = config.experts;
  multiply({{&layer.ffn_gate_inp, nullptr, router_.data()}}, x, rows);
  const Routing routing = route(experts, router_.data(), rows);
  const auto sorted_rows = static_cast<int64_t>(routing.tokens.size());
  Weight stream;
  stream.format = find_format(kIdF32);
  stream.data = reinterpret_cast<const uint8_t*>(x);
  stream.n = config.width;
  stream.rows = rows;
  backend_->get_rows(stream, routing.tokens.data(), sorted_rows, sorted_.data());
  std::vector<Product> in;
  std::vector<Product> out;
  for (size_t e = 0; e < layer.experts.size(); ++e) {
    const int64_t first = routing.begins[e];
    const int64_t taken = routing.begins[e + 1] - first;
    if (taken == 0) continue;
    const Expert& expert = layer.experts[e];
    const int64_t at = first * experts.width;
    in.push_back({&expert.gate, nullptr, gate_.data() + at, first, taken});
    in.push_back({&expert.up, nullptr, up_.data() + at, first, taken});
    out.push_back({&expert.down, nullptr, expert_out_.data() + first * config.width, first, taken});
  }
  multiply(in, sorted_.data(), sorted_rows);
  backend_->activate(config.activation, gate_.data(), up_.data(), sorted_rows * experts.width);
  multiply(out, gate_.data(), sorted_rows);
  std::fill(branch_.begin(), branch_.begin() + rows * config.width, 0.0f);
  backend_->add_weighted(
      {expert_out_.data(), routing.places.data(), routing.weights.data(), experts.used},
      branch_.data(), rows, config.width);
  if (layer.ffn_up_shexp) add_shared_expert(layer, x, rows);
  add_branch(layer.ffn_post_norm, rows);
}

// branch_ += what the expert of all tokens gives; of a model with a gate for it, the gate's part.
void Context::add_shared_expert(const Layer& layer, const float* x, int64_t rows) {
  const ModelConfig& config = model_->config;
  const int64_t values = rows * config.experts.shared_width;
  std::vector<Product> in = {{&layer.ffn_gate_shexp, nullptr, gate_.data()},
                             {&layer.ffn_up_shexp, nullptr, up_.data()}};
  std::vector<float> parts(static_cast<size_t>(rows), 1.0f);
  if (layer.ffn_gate_inp_shexp) in.push_back({&layer.ffn_gate_inp_shexp, nullptr, parts.data()});
  multiply(in, x, rows);
  if (layer.ffn_gate_inp_shexp) {
    for (float& part : parts) part = 1.0f / (1.0f + std::exp(-part));
  }
  backend_->activate(config.activation, gate_.data(), up_.data(), values);
  multiply({{&layer.ffn_down_shexp, nullptr, sorted_.data()}}, gate_.data(), rows);
  std::vector<int32_t> places(parts.size());
  std::iota(places.begin(), places.end(), 0);
  backend_->add_weighted({sorted_.data(), places.data(), parts.data(), 1}, branch_.data(), rows,
                         config.width);
}

}  // namespace nibble
