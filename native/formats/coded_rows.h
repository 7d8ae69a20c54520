#pragma once

#include <cstdint>

#include "formats/block32.h"
#include "formats/super_block.h"

// What the types with codebooks do alike with the blocks of a row.
namespace nibble {

// Value = scale of its group of kGroup * code, as `unpack(block, codes, scales)` gives them.
template <int kGroup, typename Block, typename Unpack>
void dequantize_coded_row(const void* blocks, float* x, int64_t n, const Unpack& unpack) {
  const auto* block = static_cast<const Block*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    int8_t codes[kSuperBlock];
    float scales[kSuperBlock / kGroup];
    unpack(*block, codes, scales);
    for (int j = 0; j < kSuperBlock; ++j) {
      x[i + j] = scales[j / kGroup] * static_cast<float>(codes[j]);
    }
  }
}

// How many of the blocks have a d that no quantizer writes; `d_of(block)` is f16.
template <typename Block, typename DOf>
int64_t count_invalid_d(const void* blocks, int64_t n, const DOf& d_of) {
  const auto* block = static_cast<const Block*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) count += invalid_f16(d_of(*block));
  return count;
}

}  // namespace nibble
