#pragma once

#include <cstdint>

#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 16 groups of 16: d scale q - dmin min, q of 2 bits. Packing: k_packing.h.
struct BlockQ2_K {
  uint8_t scales[kSuperBlock / 16];  // scale in the low half, min in the high one
  uint8_t qs[kSuperBlock / 4];
  uint16_t d;     // f16
  uint16_t dmin;  // f16
};
static_assert(sizeof(BlockQ2_K) == 84, "as in files");

void quantize_row_Q2_K(const float* x, void* blocks, int64_t n);
void quantize_weighted_Q2_K(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_Q2_K(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q2_K(const void* blocks, int64_t n);

}  // namespace nibble
