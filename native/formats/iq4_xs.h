#pragma once

#include <cstdint>

#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 8 groups of 32, each packed as a block of IQ4_NL: level q times (scale - 32) d,
// scale of 6 bits.
struct BlockIQ4_XS {
  uint16_t d;                          // f16
  uint16_t scales_h;                   // high 2 bits, from the lowest up
  uint8_t scales_l[kSuperBlock / 64];  // low 4 bits, two in a byte
  uint8_t qs[kSuperBlock / 2];
};
static_assert(sizeof(BlockIQ4_XS) == 136, "as in files");

// The scale of group g, -32 .. 31.
static inline int iq4_xs_scale(const BlockIQ4_XS& block, int g) {
  const int low = block.scales_l[g / 2] >> 4 * (g % 2) & 15;
  return (low | (block.scales_h >> 2 * g & 3) << 4) - 32;
}

void quantize_row_IQ4_XS(const float* x, void* blocks, int64_t n);
void quantize_weighted_IQ4_XS(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ4_XS(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ4_XS(const void* blocks, int64_t n);

}  // namespace nibble
