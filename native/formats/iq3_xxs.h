#pragma once

#include <cstdint>

#include "formats/codebook_values.h"
#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 8 groups of 32: (2 scale + 1) d / 4 times the values of 8 points of 4, with signs.
struct BlockIQ3_XXS {
  uint16_t d;  // f16
  uint8_t points[kSuperBlock / 4];
  uint8_t signs[kSuperBlock / 8];  // of a group a little-endian u32: 4 x 7 signs, scale of 4 bits
};
static_assert(sizeof(BlockIQ3_XXS) == 98, "as in files");

// Value = scale of its group * code.
static inline void unpack_iq3_xxs(const BlockIQ3_XXS& block, float d, int8_t codes[kSuperBlock],
                                  float scales[kSuperBlock / 32]) {
  for (int g = 0; g < kSuperBlock / 32; ++g) {
    const uint32_t word = load_word(block.signs + 4 * g);
    scales[g] = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    for (int k = 4 * g; k < 4 * (g + 1); ++k) {
      signed_codes(kIq3XxsValues.at[block.points[2 * k]], kIq3XxsValues.at[block.points[2 * k + 1]],
                   eight_signs(word >> 7 * (k % 4)), codes + 8 * k);
    }
  }
}

void quantize_row_IQ3_XXS(const float* x, void* blocks, int64_t n);
void quantize_weighted_IQ3_XXS(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ3_XXS(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ3_XXS(const void* blocks, int64_t n);

}  // namespace nibble
