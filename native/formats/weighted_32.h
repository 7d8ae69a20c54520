#pragma once

#include <cstdint>

#include "formats/block32.h"
#include "formats/scale_search.h"

namespace nibble {

// The variance behind the weights is that of the whole row.
static inline float row_variance(const float* x, int64_t n) {
  return sum_of_squares(x, n) / static_cast<float>(n);
}

// A row with importance, block by block: `quantize(x, weights, block)` for every 32 values.
template <typename Block, typename Quantize>
void quantize_weighted_32(const float* x, const float* importance, void* blocks, int64_t n,
                          const Quantize& quantize) {
  const float variance = row_variance(x, n);
  auto* block = static_cast<Block*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    float weights[kBlock32];
    importance_weights(x + i, importance + i, variance, kBlock32, weights);
    quantize(x + i, weights, block);
  }
}

}  // namespace nibble
