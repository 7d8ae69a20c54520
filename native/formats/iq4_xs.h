#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "formats/block32.h"
#include "formats/formats.h"
#include "formats/scale_search.h"
#include "formats/super_block.h"

namespace nibble {

constexpr int kGroupsIQ4_XS = kSuperBlock / kBlock32;

// 256 values in 8 groups of 32, each packed as a block of IQ4_NL: level q times (scale - 32) d,
// scale of 6 bits.
struct BlockIQ4_XS {
  uint16_t d;                          // f16
  uint16_t scales_h;                   // high 2 bits, from the lowest up
  uint8_t scales_l[kSuperBlock / 64];  // low 4 bits, two in a byte
  uint8_t qs[kSuperBlock / 2];
};
static_assert(sizeof(BlockIQ4_XS) == 136, "as in files");

// The scales of the groups as they are stored, a byte each.
static inline uint64_t iq4_xs_scales(const BlockIQ4_XS& block) {
  return spread_nibbles(block.scales_l) | spread_pairs(block.scales_h) << 4;
}

// The block of groups with these scales, of which the one of largest magnitude becomes -32.
// `code_group(g, iscale, codes)` gives the codes of group g.
template <typename CodeGroup>
static void finish_iq4_xs(const float scales[kGroupsIQ4_XS], BlockIQ4_XS* block,
                          const CodeGroup& code_group) {
  float largest = 0.0f;
  for (int g = 0; g < kGroupsIQ4_XS; ++g) {
    if (std::fabs(scales[g]) > std::fabs(largest)) largest = scales[g];
  }
  std::memset(block, 0, sizeof(*block));
  const float d = -largest / 32.0f;
  const float iscale = d != 0.0f ? 1.0f / d : 0.0f;
  block->d = f32_to_f16(d);
  for (int g = 0; g < kGroupsIQ4_XS; ++g) {
    const int scale = clamp_int(nearest_int(iscale * scales[g]), -32, 31);
    // The codes are for the rounded scale, but for d as it was before it was stored.
    const float group_d = d * static_cast<float>(scale);
    uint8_t codes[kBlock32];
    code_group(g, group_d != 0.0f ? 1.0f / group_d : 0.0f, codes);
    pack_nibbles(codes, block->qs + kBlock32 / 2 * g);
    const int bits = scale + 32;
    block->scales_l[g / 2] =
        static_cast<uint8_t>(block->scales_l[g / 2] | (bits & 15) << 4 * (g % 2));
    block->scales_h = static_cast<uint16_t>(block->scales_h | bits >> 4 << 2 * g);
  }
}

void quantize_row_IQ4_XS(const float* x, void* blocks, int64_t n);
void quantize_weighted_IQ4_XS(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ4_XS(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ4_XS(const void* blocks, int64_t n);

}  // namespace nibble
