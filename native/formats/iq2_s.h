#pragma once

#include <cstdint>

#include "formats/codebook_values.h"
#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 16 groups of 16: (2 scale + 1) d / 8 times the values of 2 points of 8, with signs.
// A point has 10 bits.
struct BlockIQ2_S {
  uint16_t d;                   // f16
  uint8_t qs[kSuperBlock / 8];  // low 8 bits of points
  uint8_t signs[kSuperBlock / 8];
  uint8_t qh[kSuperBlock / 32];      // high 2 bits of points, four in a byte
  uint8_t scales[kSuperBlock / 32];  // 4 bits, two in a byte
};
static_assert(sizeof(BlockIQ2_S) == 82, "as in files");

// Value = scale of its group * code.
static inline void unpack_iq2_s(const BlockIQ2_S& block, float d, int8_t codes[kSuperBlock],
                                float scales[kSuperBlock / 16]) {
  for (int g = 0; g < kSuperBlock / 16; ++g) {
    const int scale = block.scales[g / 2] >> 4 * (g % 2) & 15;
    scales[g] = d * (0.5f + static_cast<float>(scale)) * 0.25f;
  }
  for (int p = 0; p < kSuperBlock / 8; ++p) {
    const int point = block.qs[p] | (block.qh[p / 4] >> 2 * (p % 4) & 3) << 8;
    signed_codes(kIq2SValues.at[point], block.signs[p], codes + 8 * p);
  }
}

void quantize_row_IQ2_S(const float* x, void* blocks, int64_t n);
void quantize_weighted_IQ2_S(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ2_S(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ2_S(const void* blocks, int64_t n);

}  // namespace nibble
