#pragma once

#include <cstdint>

#include "formats/block32.h"
#include "formats/scale_search.h"

namespace nibble {

// A row with importance, block by block: `quantize(x, weights, block)` for every 32 values. The
// variance behind the weights is that of the whole row.
template <typename Block, typename Quantize>
void quantize_weighted_32(const float* x, const float* importance, void* blocks, int64_t n,
                          const Quantize& quantize) {
  const float variance = sum_of_squares(x, n) / static_cast<float>(n);
  auto* block = static_cast<Block*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    float weights[kBlock32];
    importance_weights(x + i, importance + i, variance, kBlock32, weights);
    quantize(x + i, weights, block);
  }
}

}  // namespace nibble
