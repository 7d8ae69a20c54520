#include "formats/tq1_0.h"

#include "formats/block32.h"
#include "formats/magnitude.h"
#include "formats/ternary.h"

namespace nibble {
void quantize_row_TQ1_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockTQ1_0*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    const float d = largest_magnitude(x + i, kSuperBlock);
    uint8_t codes[kSuperBlock];
    ternary_codes(x + i, kSuperBlock, d, kNoProductTQ, codes);
    block->d = f32_to_f16(d);
    pack_tq1_0(codes, block);
  }
}

void dequantize_row_TQ1_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockTQ1_0*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    const float d = f16_to_f32(block->d);
    uint8_t codes[kSuperBlock];
    unpack_tq1_0(*block, codes);
    for (int j = 0; j < kSuperBlock; ++j) x[i + j] = static_cast<float>(codes[j] - 1) * d;
  }
}

int64_t count_invalid_TQ1_0(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockTQ1_0*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
