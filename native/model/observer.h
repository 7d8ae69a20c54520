#pragma once

#include <cstdint>

#include "backends/weight.h"

namespace nibble {

// Sees what a model computes with, as it does: importance matrices and whatever else asks what goes
// into a matrix. A context without one does no more than ask whether there is one.
class Observer {
 public:
  virtual ~Observer() = default;
  // `rows` rows of weight.n activations that are about to be multiplied with the weight.
  virtual void input(const Weight& weight, const float* x, int64_t rows) = 0;
  // `rows` rows of logits, one per token of the vocabulary.
  virtual void logits(const float*, int64_t /*rows*/) {}
};

}  // namespace nibble
