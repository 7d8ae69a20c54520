#include "model/context.h"

#include <algorithm>
#include <numeric>
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
  const int64_t rows = std::min(capacity_, kBatch);
  x_.resize(static_cast<size_t>(rows * model_->config.width));
  normed_.resize(x_.size());
  branch_.resize(x_.size());
  reserve_attention(rows, options.cache);
  reserve_ffn(rows);
  if (model_->config.experts.count > 0) reserve_experts(rows);
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
  const int64_t width = model_->config.width;
  embed(tokens, rows);
  fill_rope_tables(rows);
  // After the last attention only what is kept matters, unless somebody looks.
  int64_t first = 0;
  for (size_t i = 0; i < model_->layers.size(); ++i) {
    job.throw_if_cancelled();
    const bool is_last = i + 1 == model_->layers.size();
    if (is_last && observer_ == nullptr) first = keep;
    layer(i, rows, first);
  }
  past_ += rows;
  normalize(model_->output_norm, model_->output_norm_bias, x_.data() + (keep - first) * width,
            rows - keep, hidden_.data() + kept_ * width);
  kept_ += rows - keep;
}

void Context::embed(const int32_t* tokens, int64_t rows) {
  const ModelConfig& config = model_->config;
  backend_->get_rows(model_->token_embd, tokens, rows, x_.data());
  if (config.embedding_scale != 1.0f)
    backend_->scale(x_.data(), config.embedding_scale, rows * config.width);
  if (!model_->position_embd) return;
  std::vector<int32_t> positions(static_cast<size_t>(rows));
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(past_));
  backend_->get_rows(model_->position_embd, positions.data(), rows, branch_.data());
  backend_->add(x_.data(), branch_.data(), rows * config.width);
}

// Leaves the rows from `first` on, moved to the front.
void Context::layer(size_t index, int64_t rows, int64_t first) {
  const ModelConfig& config = model_->config;
  const Layer& layer = model_->layers[index];
  const bool is_parallel = config.layers[index].is_parallel;
  attend(index, normalized(layer.attn_norm, layer.attn_norm_bias, rows), rows, first);
  const int64_t left = rows - first;
  if (left == 0) return;
  if (first > 0)
    std::copy(x_.begin() + first * config.width, x_.begin() + rows * config.width, x_.begin());
  if (!is_parallel) add_branch(layer.attn_post_norm, left);
  const float* x = normalized(layer.ffn_norm, layer.ffn_norm_bias, left);
  if (is_parallel) add_branch(layer.attn_post_norm, left);
  if (layer.ffn_gate_inp) {
    add_experts(layer, x, left);
    return;
  }
  feed_forward(layer, x, left);
  add_branch(layer.ffn_post_norm, left);
}

void Context::multiply(const std::vector<Product>& products, const float* x, int64_t rows) {
  if (observer_ != nullptr) {
    const Weight* before = nullptr;
    for (const auto& [weight, bias, out, first, taken] : products) {
      // Several products of rows of one tensor see its input once.
      const bool is_same =
          before != nullptr && before->name == weight->name && before->expert == weight->expert;
      before = weight;
      if (is_same) continue;
      observer_->input(*weight, x + first * weight->n, taken == kAllRows ? rows : taken);
    }
  }
  backend_->mul_mat(products, x, rows);
}

void Context::normalize(const Weight& weight, const Weight& bias, const float* x, int64_t rows,
                        float* out) {
  const ModelConfig& config = model_->config;
  backend_->norm(
      {config.norms_centered, config.norm_eps, weight.n, floats(weight), weight.rows, floats(bias)},
      x, rows, out);
}

// The residual stream as a block takes it in: as it is, where the block has no norm before it.
const float* Context::normalized(const Weight& weight, const Weight& bias, int64_t rows) {
  if (!weight) return x_.data();
  normalize(weight, bias, x_.data(), rows, normed_.data());
  return normed_.data();
}

// What a block gave goes into the residual stream.
void Context::add_branch(const Weight& post_norm, int64_t rows) {
  const ModelConfig& config = model_->config;
  if (post_norm) normalize(post_norm, Weight(), branch_.data(), rows, branch_.data());
  if (config.residual_scale != 1.0f)
    backend_->scale(branch_.data(), config.residual_scale, rows * config.width);
  backend_->add(x_.data(), branch_.data(), rows * config.width);
}

void Context::logits(int64_t first, int64_t count, float* out) {
  const ModelConfig& config = model_->config;
  multiply({{&model_->output, floats(model_->output_bias), out}},
           hidden_.data() + first * config.width, count);
  const int64_t values = count * config.vocabulary;
  if (config.logit_scale != 1.0f) backend_->scale(out, config.logit_scale, values);
  if (config.logit_cap > 0) backend_->soft_cap(out, config.logit_cap, values);
  if (observer_ != nullptr) observer_->logits(out, count);
}

}  // namespace nibble
