#include "formats/q4_1.h"

#include "formats/block32.h"
#include "formats/weighted_32.h"

namespace nibble {

void quantize_row_Q4_1(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_1*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    const Affine affine = affine_codes(x + i, 15, codes);
    block->d = f32_to_f16(affine.d);
    block->m = f32_to_f16(affine.m);
    pack_nibbles(codes, block->qs);
  }
}

void quantize_weighted_Q4_1(const float* x, const float* importance, void* blocks, int64_t n) {
  const auto quantize = [](const float* values, const float* weights, BlockQ4_1* block) {
    uint8_t codes[kBlock32];
    const AffineFit fit = search_affine<kBlock32>(values, weights, 15, kImportanceTrials, codes);
    block->d = f32_to_f16(fit.scale);
    block->m = f32_to_f16(fit.min);
    pack_nibbles(codes, block->qs);
  };
  quantize_weighted_32<BlockQ4_1>(x, importance, blocks, n, quantize);
}

void dequantize_row_Q4_1(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ4_1*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    const float d = f16_to_f32(block->d);
    const float m = f16_to_f32(block->m);
    uint8_t codes[kBlock32];
    unpack_nibbles(block->qs, codes);
    for (int j = 0; j < kBlock32; ++j) x[i + j] = static_cast<float>(codes[j]) * d + m;
  }
}

int64_t count_invalid_Q4_1(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ4_1*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    count += invalid_f16(block->d) || invalid_f16(block->m);
  }
  return count;
}

}  // namespace nibble
