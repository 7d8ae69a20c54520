#include "formats/q4_k.h"

#include "formats/affine_32.h"
#include "formats/block32.h"

namespace nibble {
void quantize_row_Q4_K(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    quantize_affine_32(x + i, kMostQ4_K, kTrialsQ4_K, &block->head, codes);
    pack_nibble_chunks(codes, block->qs);
  }
}

void quantize_weighted_Q4_K(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    quantize_important_32(x + i, importance + i, kMostQ4_K, kCapsQ4_K, &block->head, codes);
    pack_nibble_chunks(codes, block->qs);
  }
}

void dequantize_row_Q4_K(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ4_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    unpack_nibble_chunks(block->qs, codes);
    dequantize_affine_32(block->head, codes, x + i);
  }
}

int64_t count_invalid_Q4_K(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ4_K*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block)
    count += invalid_f16(block->head.d) || invalid_f16(block->head.dmin);
  return count;
}

}  // namespace nibble
