#pragma once

#include <cstdint>

#include "formats/codebook_values.h"
#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 8 groups of 32: (2 scale + 1) d times the values of 8 points of 4, with signs. A
// point has 9 bits.
struct BlockIQ3_S {
  uint16_t d;                    // f16
  uint8_t qs[kSuperBlock / 4];   // low 8 bits of points
  uint8_t qh[kSuperBlock / 32];  // their bit 8, a byte for a group
  uint8_t signs[kSuperBlock / 8];
  uint8_t scales[kSuperBlock / 64];  // 4 bits, two in a byte
};
static_assert(sizeof(BlockIQ3_S) == 110, "as in files");

// Value = scale of its group * code.
static inline void unpack_iq3_s(const BlockIQ3_S& block, float d, int8_t codes[kSuperBlock],
                                float scales[kSuperBlock / 32]) {
  for (int g = 0; g < kSuperBlock / 32; ++g) {
    scales[g] = d * static_cast<float>(2 * (block.scales[g / 2] >> 4 * (g % 2) & 15) + 1);
  }
  const auto point = [&block](int p) {
    return kIq3SValues.at[block.qs[p] | (block.qh[p / 8] >> p % 8 & 1) << 8];
  };
  for (int k = 0; k < kSuperBlock / 8; ++k) {
    signed_codes(point(2 * k), point(2 * k + 1), block.signs[k], codes + 8 * k);
  }
}

void quantize_row_IQ3_S(const float* x, void* blocks, int64_t n);
void quantize_weighted_IQ3_S(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ3_S(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ3_S(const void* blocks, int64_t n);

}  // namespace nibble
