#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "backends/backend.h"
#include "base/job.h"
#include "model/observer.h"
#include "model/weights.h"

namespace nibble {

struct ContextOptions {
  int64_t capacity;  // tokens; at most the learned positions, where the model has them
  int threads;
  CacheType cache;
};

// One sequence of tokens and what the model remembers of it. One caller at a time.
class Context {
 public:
  // Throws std::bad_alloc where the cache does not fit into memory.
  Context(std::shared_ptr<const Model> model, const ContextOptions& options);

  // Reads tokens behind those of the calls before. Keeps what the logits are computed from for
  // tokens[keep] and all after it. Throws Error kAborted between layers; then nothing was read.
  void evaluate(const std::vector<int32_t>& tokens, int64_t keep, Job& job);
  // Logits of kept tokens [first, first + count): count rows of the vocabulary's length.
  void logits(int64_t first, int64_t count, float* out);
  // ln of the sum of e^logit of each of `count` such rows.
  void log_sum_exp(const float* logits, int64_t count, double* out) {
    backend_->log_sum_exp(logits, count, model_->config.vocabulary, out);
  }

  // Forgets all tokens behind the first `tokens`.
  void truncate(int64_t tokens) { past_ = std::clamp<int64_t>(tokens, 0, past_); }
  int64_t past() const { return past_; }
  int64_t kept() const { return kept_; }
  const Model& model() const { return *model_; }
  // Or null; has to outlive the evaluation.
  void observe(Observer* observer) { observer_ = observer; }

 private:
  // context.cc
  void forward(const int32_t* tokens, int64_t rows, int64_t keep, Job& job);
  void embed(const int32_t* tokens, int64_t rows);
  void layer(size_t index, int64_t rows, int64_t first);
  void multiply(const std::vector<Product>& products, const float* x, int64_t rows);
  void normalize(const Weight& weight, const Weight& bias, const float* x, int64_t rows,
                 float* out);
  const float* normalized(const Weight& weight, const Weight& bias, int64_t rows);
  void add_branch(const Weight& post_norm, int64_t rows);
  // attention.cc
  void reserve_attention(int64_t rows, CacheType cache);
  void attend(size_t index, const float* x, int64_t rows, int64_t first);
  void fill_rope_tables(int64_t rows);
  // ffn.cc
  void reserve_ffn(int64_t rows);
  void feed_forward(const Layer& layer, const float* x, int64_t rows);
  // experts.cc
  void reserve_experts(int64_t rows);
  void add_experts(const Layer& layer, const float* x, int64_t rows);
  void add_shared_expert(const Layer& layer, const float* x, int64_t rows);

  const std::shared_ptr<const Model> model_;
  const int64_t capacity_;
  const std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<KvCache>> caches_;
  Observer* observer_ = nullptr;
  int64_t past_ = 0;

  // Rows of a batch of tokens. The residual stream; what goes into attention and feed-forward, and
  // what comes out of them.
  std::vector<float> x_, normed_, branch_;
  std::vector<float> q_, k_, v_, attended_, gate_, up_;
  std::vector<std::vector<float>> rope_tables_;  // as config.ropes
  // Of experts: the router's, and rows in the order of the experts.
  std::vector<float> router_, sorted_, expert_out_;
  // Of the tokens that are kept: the normed end of the residual stream.
  std::vector<float> hidden_;
  int64_t kept_ = 0;
};

}  // namespace nibble
