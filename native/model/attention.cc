#include <cmath>

#include "model/context.h"

// Attention of a layer: queries, keys and values, turned by their positions, and what they add up
// to.
namespace nibble {

void Context::reserve_attention(int64_t rows, CacheType cache) {
  const ModelConfig& config = model_->config;
  for (const LayerShape& layer : config.layers) {
    const AttentionShape shape = {config.heads,           config.kv_heads, config.head_dim,
                                  config.attention_scale, layer.window,    config.attention_cap};
    caches_.push_back(backend_->make_cache(shape, capacity_, cache));
  }
  q_.resize(static_cast<size_t>(rows * config.heads * config.head_dim));
  k_.resize(static_cast<size_t>(rows * config.kv_heads * config.head_dim));
  v_.resize(k_.size());
  attended_.resize(q_.size());
  for (const RopeAngles& rope : config.ropes)
    rope_tables_.emplace_back(static_cast<size_t>(rows) * 2 * rope.in_context(capacity_).size());
}

// x: what the layer's matrices take in. Leaves in branch_ what comes out for rows from `first` on.
void Context::attend(size_t index, const float* x, int64_t rows, int64_t first) {
  const ModelConfig& config = model_->config;
  const Layer& layer = model_->layers[index];
  Backend& backend = *backend_;
  multiply({{&layer.attn_q, floats(layer.attn_q_bias), q_.data()},
            {&layer.attn_k, floats(layer.attn_k_bias), k_.data()},
            {&layer.attn_v, floats(layer.attn_v_bias), v_.data()}},
           x, rows);
  const struct {
    float* x;
    int64_t heads;
    const Weight& norm;
  } turned[] = {{q_.data(), config.heads, layer.attn_q_norm},
                {k_.data(), config.kv_heads, layer.attn_k_norm}};
  const std::vector<float>& table = rope_tables_[static_cast<size_t>(config.layers[index].rope)];
  const auto pairs = static_cast<int64_t>(
      config.ropes[static_cast<size_t>(config.layers[index].rope)].frequencies.size());
  const Rope rope = {2 * pairs, config.rope_halves, table.data()};
  for (const auto& [values, heads, norm] : turned) {
    if (norm) normalize(norm, Weight(), values, rows * heads * config.head_dim / norm.n, values);
    if (pairs > 0) backend.rope(rope, heads, config.head_dim, values, rows);
  }
  KvCache& cache = *caches_[index];
  backend.write_cache(cache, past_, k_.data(), v_.data(), rows);
  if (first == rows) return;
  const int64_t q_width = config.heads * config.head_dim;
  backend.attention(cache, past_ + first, q_.data() + first * q_width, rows - first,
                    attended_.data());
  multiply({{&layer.attn_output, floats(layer.attn_output_bias), branch_.data()}}, attended_.data(),
           rows - first);
}

void Context::fill_rope_tables(int64_t rows) {
  for (size_t i = 0; i < rope_tables_.size(); ++i) {
    const RopeAngles& rope = model_->config.ropes[i];
    float* table = rope_tables_[i].data();
    for (int64_t r = 0; r < rows; ++r) {
      for (const double frequency : rope.in_context(capacity_)) {
        const double angle = static_cast<double>(past_ + r) * frequency;
        *table++ = static_cast<float>(std::cos(angle)) * rope.scale;
        *table++ = static_cast<float>(std::sin(angle)) * rope.scale;
      }
    }
  }
}

}  // namespace nibble
