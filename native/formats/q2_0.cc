#include "formats/q2_0.h"

#include "formats/block32.h"
#include "formats/magnitude.h"
#include "formats/ternary.h"

namespace nibble {
// d = amax, so that the fourth code, 2 d, is never used.
void quantize_row_Q2_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ2_0*>(blocks);
  for (int64_t i = 0; i < n; i += kValuesQ2_0, ++block) {
    const float d = largest_magnitude(x + i, kValuesQ2_0);
    uint8_t codes[kValuesQ2_0];
    ternary_codes(x + i, kValuesQ2_0, d, kNoProductQ2_0, codes);
    block->d = f32_to_f16(d);
    pack_q2_0(codes, block);
  }
}

void dequantize_row_Q2_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ2_0*>(blocks);
  for (int64_t i = 0; i < n; i += kValuesQ2_0, ++block) {
    const float d = f16_to_f32(block->d);
    uint8_t codes[kValuesQ2_0];
    unpack_q2_0(*block, codes);
    for (int j = 0; j < kValuesQ2_0; ++j) x[i + j] = static_cast<float>(codes[j] - 1) * d;
  }
}

int64_t count_invalid_Q2_0(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ2_0*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kValuesQ2_0, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
