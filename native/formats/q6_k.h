#pragma once

#include <cstdint>

#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 16 groups of 16: (q - 32) scale d, q of 6 bits.
struct BlockQ6_K {
  uint8_t ql[kSuperBlock / 2];  // low 4 bits
  uint8_t qh[kSuperBlock / 4];  // high 2 bits
  int8_t scales[kSuperBlock / 16];
  uint16_t d;  // f16
};
static_assert(sizeof(BlockQ6_K) == 210, "as in files");

// Codes 0 .. 63 into ql and qh: a byte of qh holds the high bits of values j, j + 32, j + 64 and j
// + 96 of its half.
static inline void pack_q6_k(const uint8_t codes[kSuperBlock], BlockQ6_K* block) {
  for (int half = 0; half < 2; ++half) {
    const uint8_t* q = codes + 128 * half;
    for (int j = 0; j < 32; ++j) {
      block->ql[64 * half + j] = static_cast<uint8_t>((q[j] & 15) | (q[j + 64] & 15) << 4);
      block->ql[64 * half + j + 32] =
          static_cast<uint8_t>((q[j + 32] & 15) | (q[j + 96] & 15) << 4);
      block->qh[32 * half + j] = static_cast<uint8_t>(q[j] >> 4 | q[j + 32] >> 4 << 2 |
                                                      q[j + 64] >> 4 << 4 | q[j + 96] >> 4 << 6);
    }
  }
}

static inline void unpack_q6_k(const BlockQ6_K& block, uint8_t codes[kSuperBlock]) {
  for (int half = 0; half < 2; ++half) {
    uint8_t* q = codes + 128 * half;
    const uint8_t* low = block.ql + 64 * half;
    for (int j = 0; j < 32; ++j) {
      const int high = block.qh[32 * half + j];
      q[j] = static_cast<uint8_t>((low[j] & 15) | (high & 3) << 4);
      q[j + 32] = static_cast<uint8_t>((low[j + 32] & 15) | (high >> 2 & 3) << 4);
      q[j + 64] = static_cast<uint8_t>(low[j] >> 4 | (high >> 4 & 3) << 4);
      q[j + 96] = static_cast<uint8_t>(low[j + 32] >> 4 | (high >> 6 & 3) << 4);
    }
  }
}

void quantize_row_Q6_K(const float* x, void* blocks, int64_t n);
void quantize_weighted_Q6_K(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_Q6_K(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q6_K(const void* blocks, int64_t n);

}  // namespace nibble
