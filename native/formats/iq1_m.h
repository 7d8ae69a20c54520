#pragma once

#include <cstdint>

#include "formats/codebook_values.h"
#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 16 groups of 16: (2 scale + 1) d times the values of 2 points of 8, each shifted by
// an eighth. A point has 11 bits.
struct BlockIQ1_M {
  uint8_t qs[kSuperBlock / 8];        // low 8 bits of points
  uint8_t qh[kSuperBlock / 16];       // of a group: 2 x (high 3 bits, shifted down?)
  uint16_t scales[kSuperBlock / 64];  // 4 x scale of 3 bits, 4 bits of d, which is f16
};
static_assert(sizeof(BlockIQ1_M) == 56, "as in files");

// d as f16: the lowest 4 bits come first.
static inline uint16_t iq1_m_d(const BlockIQ1_M& block) {
  int d = 0;
  for (int i = 0; i < 4; ++i) d |= block.scales[i] >> 12 << 4 * i;
  return static_cast<uint16_t>(d);
}

// Value = scale of its group * code.
static inline void unpack_iq1_m(const BlockIQ1_M& block, float d, int8_t codes[kSuperBlock],
                                float scales[kSuperBlock / 16]) {
  for (int g = 0; g < kSuperBlock / 16; ++g) {
    const int scale = block.scales[g / 4] >> 3 * (g % 4) & 7;
    scales[g] = d * static_cast<float>(2 * scale + 1) * 0.125f;
    for (int k = 0; k < 2; ++k) {
      const int high = block.qh[g] >> 4 * k;
      const int point = block.qs[2 * g + k] | (high & 7) << 8;
      shifted_codes(kIq1Values.at[point], high >> 3 & 1, codes + 16 * g + 8 * k);
    }
  }
}

void quantize_row_IQ1_M(const float* x, void* blocks, int64_t n);
void quantize_weighted_IQ1_M(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ1_M(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ1_M(const void* blocks, int64_t n);

}  // namespace nibble
