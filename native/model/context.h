#pragma once

#include <memory>
#include <vector>

#include "backends/backend.h"
#include "base/job.h"
#include "model/observer.h"
#include "model/weights.h"

namespace nibble {

struct ContextOptions {
  int64_t capacity;  // tokens
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

  void clear() { past_ = 0; }
  int64_t past() const { return past_; }
  int64_t kept() const { return kept_; }
  const Model& model() const { return *model_; }
  // Or null; has to outlive the evaluation.
  void observe(Observer* observer) { observer_ = observer; }

 private:
  void forward(const int32_t* tokens, int64_t rows, int64_t keep, Job& job);
  void attention_block(size_t layer, int64_t rows, int64_t first);
  void ffn_block(const Layer& layer, int64_t rows);
  void multiply(const std::vector<Product>& products, const float* x, int64_t rows);
  void fill_rope_table(int64_t rows);

  const std::shared_ptr<const Model> model_;
  const int64_t capacity_;
  const std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<KvCache>> caches_;
  Observer* observer_ = nullptr;
  int64_t past_ = 0;

  // Rows of a batch of tokens.
  std::vector<float> x_, normed_, q_, k_, v_, attended_, gate_, up_, rope_table_;
  // Of the tokens that are kept: the normed end of the residual stream.
  std::vector<float> hidden_;
  int64_t kept_ = 0;
};

}  // namespace nibble
