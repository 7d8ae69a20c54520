#include "formats/iq4_xs.h"

#include "formats/iq4_search.h"

namespace nibble {
namespace {

constexpr int kGroups = kGroupsIQ4_XS;

// `importance` may be null.
void quantize_block(const float* x, const float* importance, BlockIQ4_XS* block) {
  const float variance = iq4_variance(sum_of_squares(x, kSuperBlock), kSuperBlock);
  float scales[kGroups];
  for (int g = 0; g < kGroups; ++g) {
    const int at = kBlock32 * g;
    float weights[kBlock32];
    iq4_weights(x + at, importance == nullptr ? nullptr : importance + at, variance, weights);
    scales[g] = search_iq4_scale(x + at, weights);
  }
  finish_iq4_xs(scales, block, [x](int g, float iscale, uint8_t* codes) {
    iq4_codes(x + kBlock32 * g, iscale, codes);
  });
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
    uint8_t scales[kGroups];
    store_codes(iq4_xs_scales(*block), scales);
    for (int g = 0; g < kGroups; ++g) {
      const float scale = d * static_cast<float>(scales[g] - 32);
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
