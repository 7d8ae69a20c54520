#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/formats.h"

namespace nibble {

// 64 floats of 4 bits (fp4.h) in groups of 16, each with a scale of its own: an unsigned float of 4
// bits of exponent and 3 of mantissa (UE4M3).
struct BlockNVFP4 {
  uint8_t d[4];
  uint8_t qs[32];  // byte j of a group's eight holds code j in its low half, code j + 8 in its high
};
static_assert(sizeof(BlockNVFP4) == 36, "as in files");

// Half the value of a scale. Its NaN (0x7f) counts as 0, as everywhere in the field, and its
// highest bit is not looked at.
static inline float nvfp4_half_scale(uint8_t scale) {
  if (scale == 0x7f) return 0.0f;
  const uint32_t exponent = scale >> 3 & 15;
  const uint32_t mantissa = scale & 7;
  if (exponent == 0) return static_cast<float>(mantissa) * 0.0009765625f;  // 2^-10
  return float_of((exponent + 119) << 23 | mantissa << 20);
}

static inline void unpack_nvfp4(const BlockNVFP4& block, uint8_t codes[64]) {
  for (int j = 0; j < 32; ++j) {
    uint8_t* group = codes + 16 * (j / 8) + j % 8;
    group[0] = block.qs[j] & 15;
    group[8] = block.qs[j] >> 4;
  }
}

void quantize_row_NVFP4(const float* x, void* blocks, int64_t n);
void dequantize_row_NVFP4(const void* blocks, float* x, int64_t n);
int64_t count_invalid_NVFP4(const void* blocks, int64_t n);

}  // namespace nibble
