#pragma once

#include <cstdint>

#include "formats/formats.h"

namespace nibble {

// 32 values: code q stands for q d + m. Packing: block32.h.
struct BlockQ4_1 {
  uint16_t d;  // f16
  uint16_t m;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_1) == 20, "as in files");

void quantize_row_Q4_1(const float* x, void* blocks, int64_t n);
void quantize_weighted_Q4_1(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_Q4_1(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q4_1(const void* blocks, int64_t n);

}  // namespace nibble
