#include "formats/q8_0.h"

#include <cmath>

#include "formats/block32.h"

namespace nibble {

// d = amax / 127; values round half away from zero.
void quantize_row_Q8_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ8_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    float amax = 0.0f;
    for (int j = 0; j < kBlock32; ++j) {
      if (std::fabs(x[i + j]) > amax) amax = std::fabs(x[i + j]);
    }
    const float d = amax / 127.0f;
    const float id = d != 0.0f ? 1.0f / d : 0.0f;
    block->d = f32_to_f16(d);
    for (int j = 0; j < kBlock32; ++j) {
      const float q = std::round(x[i + j] * id);
      // 1 / d overflows for subnormal d, and NaN has no integer: both count as 0, as no conversion
      // of theirs is defined.
      block->qs[j] = std::fabs(q) <= 127.0f ? static_cast<int8_t>(q) : int8_t{0};
    }
  }
}

void dequantize_row_Q8_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ8_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    const float d = f16_to_f32(block->d);
    for (int j = 0; j < kBlock32; ++j) x[i + j] = static_cast<float>(block->qs[j]) * d;
  }
}

int64_t count_invalid_Q8_0(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ8_0*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kBlock32, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
