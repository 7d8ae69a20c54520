#include "formats/iq4_xs.h"

#include <cstring>

#include "formats/iq4_search.h"

namespace nibble {
namespace {

constexpr int kGroups = kSuperBlock / kBlock32;

// `importance` may be null.
void quantize_block(const float* x, const float* importance, BlockIQ4_XS* block) {
  const float variance = sum_of_squares(x, kSuperBlock) * (2.0f / kSuperBlock);
  float scales[kGroups];
  float largest = 0.0f;
  for (int g = 0; g < kGroups; ++g) {
    const int at = kBlock32 * g;
    float weights[kBlock32];
    iq4_weights(x + at, importance == nullptr ? nullptr : importance + at, variance, weights);
    scales[g] = search_iq4_scale(x + at, weights);
    if (std::fabs(scales[g]) > std::fabs(largest)) largest = scales[g];
  }
  std::memset(block, 0, sizeof(*block));
  const float d = -largest / 32.0f;
  const float iscale = d != 0.0f ? 1.0f / d : 0.0f;
  block->d = f32_to_f16(d);
  for (int g = 0; g < kGroups; ++g) {
    const int scale = clamp_int(nearest_int(iscale * scales[g]), -32, 31);
    // The codes again for the rounded scale, but for d as it was before it was stored.
    const float group_d = d * static_cast<float>(scale);
    uint8_t codes[kBlock32];
    iq4_codes(x + kBlock32 * g, group_d != 0.0f ? 1.0f / group_d : 0.0f, codes);
    pack_nibbles(codes, block->qs + kBlock32 / 2 * g);
    const int bits = scale + 32;
    block->scales_l[g / 2] =
        static_cast<uint8_t>(block->scales_l[g / 2] | (bits & 15) << 4 * (g % 2));
    block->scales_h = static_cast<uint16_t>(block->scales_h | bits >> 4 << 2 * g);
  }
}

}  // namespace

void quantize_row_IQ4_XS(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockIQ4_XS*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) quantize_block(x + i, nullptr, block);
}

void quantize_weighted_IQ4_XS(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockIQ4_XS*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    quantize_block(x + i, importance + i, block);
  }
}

void dequantize_row_IQ4_XS(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockIQ4_XS*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    const float d = f16_to_f32(block->d);
    for (int g = 0; g < kGroups; ++g) {
      const float scale = d * static_cast<float>(iq4_xs_scale(*block, g));
      float* y = x + i + kBlock32 * g;
      int8_t levels[kBlock32];
      unpack_iq4(block->qs + kBlock32 / 2 * g, levels);
      for (int j = 0; j < kBlock32; ++j) y[j] = scale * static_cast<float>(levels[j]);
    }
  }
}

int64_t count_invalid_IQ4_XS(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ4_XS*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
