#include "formats/q1_0.h"

#include "formats/block32.h"

namespace nibble {
// d = the mean magnitude, which is the best scale for signs; zeros of either sign count as
// positive.
void quantize_row_Q1_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ1_0*>(blocks);
  for (int64_t i = 0; i < n; i += kValuesQ1_0, ++block) {
    float sum = 0.0f;
    for (int j = 0; j < kValuesQ1_0; ++j) sum += std::fabs(x[i + j]);
    block->d = f32_to_f16(sum / static_cast<float>(kValuesQ1_0));
    for (int b = 0; b < kValuesQ1_0 / 8; ++b) {
      int bits = 0;
      for (int j = 0; j < 8; ++j) bits |= (x[i + 8 * b + j] >= 0.0f) << j;
      block->qs[b] = static_cast<uint8_t>(bits);
    }
  }
}

void dequantize_row_Q1_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ1_0*>(blocks);
  for (int64_t i = 0; i < n; i += kValuesQ1_0, ++block) {
    const float d = f16_to_f32(block->d);
    for (int j = 0; j < kValuesQ1_0; ++j) x[i + j] = block->qs[j / 8] >> (j % 8) & 1 ? d : -d;
  }
}

int64_t count_invalid_Q1_0(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ1_0*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kValuesQ1_0, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
