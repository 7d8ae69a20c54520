#pragma once

#include <cstdint>

#include "formats/codebook_values.h"
#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 8 groups of 32: (2 scale + 1) d / 8 times the values of 4 points of 8, with signs.
struct BlockIQ2_XXS {
  struct Group {
    uint8_t points[4];
    uint8_t signs[4];  // little-endian u32: 4 x 7 signs, scale of 4 bits
  };
  uint16_t d;  // f16
  Group groups[kSuperBlock / 32];
};
static_assert(sizeof(BlockIQ2_XXS) == 66, "as in files");

// Value = scale of its group * code.
static inline void unpack_iq2_xxs(const BlockIQ2_XXS& block, float d, int8_t codes[kSuperBlock],
                                  float scales[kSuperBlock / 32]) {
  for (int g = 0; g < kSuperBlock / 32; ++g) {
    const BlockIQ2_XXS::Group& group = block.groups[g];
    const uint32_t word = load_word(group.signs);
    scales[g] = d * (0.5f + static_cast<float>(word >> 28)) * 0.25f;
    for (int k = 0; k < 4; ++k) {
      signed_codes(kIq2XxsValues.at[group.points[k]], eight_signs(word >> 7 * k),
                   codes + 32 * g + 8 * k);
    }
  }
}

void quantize_weighted_IQ2_XXS(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ2_XXS(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ2_XXS(const void* blocks, int64_t n);

}  // namespace nibble
