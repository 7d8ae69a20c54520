#include "model/context.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "backends/cpu/cpu_backend.h"

namespace nibble {
namespace {

// Tokens that go through the layers together: enough that unpacking weights costs nothing, few
// enough that activations stay in the caches.
constexpr int64_t kBatch = 512;

}  // namespace

Context::Context(std::shared_ptr<const Model> model, const ContextOptions& options)
    : model_(std::move(model)),
      capacity_(options.capacity),
      backend_(make_cpu_backend(options.threads)) {
  const ModelConfig& config = model_->config;
  const AttentionShape shape = {config.heads, config.kv_heads, config.head_dim,
                                config.attention_scale, config.window};
  for (int64_t i = 0; i < config.layers; ++i)
    caches_.push_back(backend_->make_cache(shape, capacity_, options.cache));
  const auto rows = [&](int64_t n) { return static_cast<size_t>(std::min(capacity_, kBatch) * n); };
  x_.resize(rows(config.width));
  normed_.resize(rows(config.width));
  q_.resize(rows(config.heads * config.head_dim));
  k_.resize(rows(config.kv_heads * config.head_dim));
  v_.resize(k_.size());
  attended_.resize(q_.size());
  gate_.resize(rows(config.ffn_width));
  up_.resize(gate_.size());
  rope_table_.resize(rows(2 * static_cast<int64_t>(config.rope_frequencies.size())));
}

void Context::evaluate(const std::vector<int32_t>& tokens, int64_t keep, Job& job) {
  const auto count = static_cast<int64_t>(tokens.size());
  const int64_t before = past_;
  kept_ = 0;
  hidden_.resize(static_cast<size_t>((count - keep) * model_->config.width));
  try {
    for (int64_t i = 0; i < count; i += kBatch) {
      const int64_t rows = std::min(kBatch, count - i);
      forward(tokens.data() + i, rows, std::clamp<int64_t>(keep - i, 0, rows), job);
      job.add_done(rows);
    }
  } catch (...) {
    past_ = before;
    kept_ = 0;
    throw;
  }
}

void Context::forward(const int32_t* tokens, int64_t rows, int64_t keep, Job& job) {
  const ModelConfig& config = model_->config;
  backend_->get_rows(model_->token_embd, tokens, rows, x_.data());
  fill_rope_table(rows);
  for (size_t i = 0; i < model_->layers.size(); ++i) {
    job.throw_if_cancelled();
    // After the last attention only what is kept matters, unless somebody looks.
    const bool is_last = i + 1 == model_->layers.size();
    const int64_t first = is_last && observer_ == nullptr ? keep : 0;
    attention_block(i, rows, first);
    if (first > 0)
      std::copy(x_.begin() + first * config.width, x_.begin() + rows * config.width, x_.begin());
    ffn_block(model_->layers[i], rows - first);
    if (is_last && first == 0 && keep > 0)
      std::copy(x_.begin() + keep * config.width, x_.begin() + rows * config.width, x_.begin());
  }
  past_ += rows;
  backend_->rms_norm(x_.data(), floats(model_->output_norm), rows - keep, config.width,
                     config.rms_eps, hidden_.data() + kept_ * config.width);
  kept_ += rows - keep;
}

void Context::attention_block(size_t index, int64_t rows, int64_t first) {
  const ModelConfig& config = model_->config;
  const Layer& layer = model_->layers[index];
  Backend& backend = *backend_;
  backend.rms_norm(x_.data(), floats(layer.attn_norm), rows, config.width, config.rms_eps,
                   normed_.data());
  multiply({{&layer.attn_q, floats(layer.attn_q_bias), q_.data()},
            {&layer.attn_k, floats(layer.attn_k_bias), k_.data()},
            {&layer.attn_v, floats(layer.attn_v_bias), v_.data()}},
           normed_.data(), rows);
  const struct {
    float* x;
    int64_t heads;
    const Weight& norm;
  } turned[] = {{q_.data(), config.heads, layer.attn_q_norm},
                {k_.data(), config.kv_heads, layer.attn_k_norm}};
  const Rope rope = {2 * static_cast<int64_t>(config.rope_frequencies.size()), config.rope_halves,
                     rope_table_.data()};
  for (const auto& [x, heads, norm] : turned) {
    if (norm) backend.rms_norm(x, floats(norm), rows * heads, config.head_dim, config.rms_eps, x);
    backend.rope(rope, heads, config.head_dim, x, rows);
  }
  KvCache& cache = *caches_[index];
  backend.write_cache(cache, past_, k_.data(), v_.data(), rows);
  if (first == rows) return;
  const int64_t q_width = config.heads * config.head_dim;
  backend.attention(cache, past_ + first, q_.data() + first * q_width, rows - first,
                    attended_.data());
  multiply({{&layer.attn_output, floats(layer.attn_output_bias), normed_.data()}}, attended_.data(),
           rows - first);
  backend.add(x_.data() + first * config.width, normed_.data(), (rows - first) * config.width);
}

void Context::ffn_block(const Layer& layer, int64_t rows) {
  if (rows == 0) return;
  const ModelConfig& config = model_->config;
  backend_->rms_norm(x_.data(), floats(layer.ffn_norm), rows, config.width, config.rms_eps,
                     normed_.data());
  multiply({{&layer.ffn_gate, floats(layer.ffn_gate_bias), gate_.data()},
            {&layer.ffn_up, floats(layer.ffn_up_bias), up_.data()}},
           normed_.data(), rows);
  backend_->silu_mul(gate_.data(), up_.data(), rows * config.ffn_width);
  multiply({{&layer.ffn_down, floats(layer.ffn_down_bias), normed_.data()}}, gate_.data(), rows);
  backend_->add(x_.data(), normed_.data(), rows * config.width);
}

void Context::multiply(const std::vector<Product>& products, const float* x, int64_t rows) {
  if (observer_ != nullptr) {
    for (const Product& product : products) observer_->input(*product.weight, x, rows);
  }
  backend_->mul_mat(products, x, rows);
}

void Context::logits(int64_t first, int64_t count, float* out) {
  multiply({{&model_->output, floats(model_->output_bias), out}},
           hidden_.data() + first * model_->config.width, count);
  if (observer_ != nullptr) observer_->logits(out, count);
}

void Context::fill_rope_table(int64_t rows) {
  const ModelConfig& config = model_->config;
  float* table = rope_table_.data();
  for (int64_t r = 0; r < rows; ++r) {
    for (const double frequency : config.rope_frequencies) {
      const double angle = static_cast<double>(past_ + r) * frequency;
      *table++ = static_cast<float>(std::cos(angle)) * config.rope_scale;
      *table++ = static_cast<float>(std::sin(angle)) * config.rope_scale;
    }
  }
}

}  // namespace nibble
