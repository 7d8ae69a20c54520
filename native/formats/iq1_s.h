#pragma once

#include <cstdint>

#include "formats/codebook_values.h"
#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 8 groups of 32: (2 scale + 1) d times the values of 4 points of 8, all shifted by
// an eighth. A point has 11 bits.
struct BlockIQ1_S {
  uint16_t d;                     // f16
  uint8_t qs[kSuperBlock / 8];    // low 8 bits of points
  uint16_t qh[kSuperBlock / 32];  // of a group: 4 x high 3 bits, scale of 3 bits, shifted down?
};
static_assert(sizeof(BlockIQ1_S) == 50, "as in files");

// Value = scale of its group * code.
static inline void unpack_iq1_s(const BlockIQ1_S& block, float d, int8_t codes[kSuperBlock],
                                float scales[kSuperBlock / 32]) {
  for (int g = 0; g < kSuperBlock / 32; ++g) {
    const int high = block.qh[g];
    scales[g] = d * static_cast<float>(2 * (high >> 12 & 7) + 1) * 0.125f;
    for (int k = 0; k < 4; ++k) {
      const int point = block.qs[4 * g + k] | (high >> 3 * k & 7) << 8;
      shifted_codes(kIq1Values.at[point], high >> 15, codes + 32 * g + 8 * k);
    }
  }
}

void quantize_weighted_IQ1_S(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ1_S(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ1_S(const void* blocks, int64_t n);

}  // namespace nibble
