#include "formats/q4_0.h"

#include "formats/block32.h"
#include "formats/weighted_32.h"

namespace nibble {

void quantize_row_Q4_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    block->d = f32_to_f16(symmetric_codes(x + i, 8, codes));
    pack_nibbles(codes, block->qs);
  }
}

void quantize_weighted_Q4_0(const float* x, const float* importance, void* blocks, int64_t n) {
  const auto quantize = [](const float* values, const float* weights, BlockQ4_0* block) {
    uint8_t codes[kBlock32];
    block->d = f32_to_f16(search_symmetric<kBlock32>(values, weights, 8, codes));
    pack_nibbles(codes, block->qs);
  };
  quantize_weighted_32<BlockQ4_0>(x, importance, blocks, n, quantize);
}

void dequantize_row_Q4_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ4_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    const float d = f16_to_f32(block->d);
    uint8_t codes[kBlock32];
    unpack_nibbles(block->qs, codes);
    for (int j = 0; j < kBlock32; ++j) x[i + j] = static_cast<float>(codes[j] - 8) * d;
  }
}

int64_t count_invalid_Q4_0(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ4_0*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kBlock32, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
