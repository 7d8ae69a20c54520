#include "formats/iq4_nl.h"

#include "formats/iq4_search.h"

namespace nibble {
namespace {

// `importance` may be null.
void quantize_block(const float* x, const float* importance, BlockIQ4_NL* block) {
  float weights[kBlock32];
  iq4_weights(x, importance, iq4_variance(sum_of_squares(x, kBlock32), kBlock32), weights);
  const float d = search_iq4_scale(x, weights);
  block->d = f32_to_f16(d);
  uint8_t codes[kBlock32];
  iq4_codes(x, d != 0.0f ? 1.0f / d : 0.0f, codes);
  pack_nibbles(codes, block->qs);
}

}  // namespace

void quantize_row_IQ4_NL(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockIQ4_NL*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) quantize_block(x + i, nullptr, block);
}

void quantize_weighted_IQ4_NL(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockIQ4_NL*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) quantize_block(x + i, importance + i, block);
}

void dequantize_row_IQ4_NL(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockIQ4_NL*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    const float d = f16_to_f32(block->d);
    int8_t levels[kBlock32];
    unpack_iq4(block->qs, levels);
    for (int j = 0; j < kBlock32; ++j) x[i + j] = d * static_cast<float>(levels[j]);
  }
}

int64_t count_invalid_IQ4_NL(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ4_NL*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kBlock32, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
