#pragma once

#include <cstdint>

#include "formats/codebook_values.h"
#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 16 groups of 16: (2 scale + 1) d / 8 times the values of 2 points of 8, with signs.
struct BlockIQ2_XS {
  uint16_t d;                        // f16
  uint16_t qs[kSuperBlock / 8];      // a point of 9 bits, 7 signs
  uint8_t scales[kSuperBlock / 32];  // 4 bits, two in a byte
};
static_assert(sizeof(BlockIQ2_XS) == 74, "as in files");

// Value = scale of its group * code.
static inline void unpack_iq2_xs(const BlockIQ2_XS& block, float d, int8_t codes[kSuperBlock],
                                 float scales[kSuperBlock / 16]) {
  for (int g = 0; g < kSuperBlock / 16; ++g) {
    const int scale = block.scales[g / 2] >> 4 * (g % 2) & 15;
    scales[g] = d * (0.5f + static_cast<float>(scale)) * 0.25f;
  }
  for (int p = 0; p < kSuperBlock / 8; ++p) {
    const uint16_t q = block.qs[p];
    signed_codes(kIq2XsValues.at[q & 511], eight_signs(q >> 9), codes + 8 * p);
  }
}

void quantize_weighted_IQ2_XS(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ2_XS(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ2_XS(const void* blocks, int64_t n);

}  // namespace nibble
