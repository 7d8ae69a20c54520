#pragma once

#include <cstdint>

#include "formats/block32.h"
#include "formats/formats.h"

namespace nibble {

constexpr int kValuesQ2_0 = 64;

// 64 values: code q of 0 .. 3 stands for (q - 1) d.
struct BlockQ2_0 {
  uint16_t d;      // f16
  uint8_t qs[16];  // byte k holds codes 4 k .. 4 k + 3, the first in its lowest bits
};
static_assert(sizeof(BlockQ2_0) == 18, "as in files");

static inline void pack_q2_0(const uint8_t codes[kValuesQ2_0], BlockQ2_0* block) {
  for (int k = 0; k < kValuesQ2_0 / 4; k += 2) {
    uint64_t word = load_codes(codes + 4 * k);
    word |= word >> 6;   // every second byte has two codes
    word |= word >> 12;  // bytes 0 and 4 have four
    block->qs[k] = static_cast<uint8_t>(word);
    block->qs[k + 1] = static_cast<uint8_t>(word >> 32);
  }
}

static inline void unpack_q2_0(const BlockQ2_0& block, uint8_t codes[64]) {
  for (int j = 0; j < 64; ++j) codes[j] = block.qs[j / 4] >> (2 * (j % 4)) & 3;
}

void quantize_row_Q2_0(const float* x, void* blocks, int64_t n);
void dequantize_row_Q2_0(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q2_0(const void* blocks, int64_t n);

}  // namespace nibble
