#include "formats/q5_k.h"

#include "formats/affine_32.h"
#include "formats/block32.h"

namespace nibble {
namespace {

void pack(const uint8_t codes[kSuperBlock], BlockQ5_K* block) {
  pack_nibble_chunks(codes, block->qs);
  pack_high_bits<4>(codes, block->qh);
}

}  // namespace

void quantize_row_Q5_K(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ5_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    quantize_affine_32(x + i, kMostQ5_K, kTrialsQ5_K, &block->head, codes);
    pack(codes, block);
  }
}

void quantize_weighted_Q5_K(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ5_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    quantize_important_32(x + i, importance + i, kMostQ5_K, kCapsQ5_K, &block->head, codes);
    pack(codes, block);
  }
}

void dequantize_row_Q5_K(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ5_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    unpack_nibble_chunks(block->qs, codes);
    add_high_bits<4>(block->qh, codes);
    dequantize_affine_32(block->head, codes, x + i);
  }
}

int64_t count_invalid_Q5_K(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ5_K*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block)
    count += invalid_f16(block->head.d) || invalid_f16(block->head.dmin);
  return count;
}

}  // namespace nibble
