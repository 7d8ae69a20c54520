#pragma once

#include <cstdint>

#include "formats/formats.h"

namespace nibble {

// 32 values: q d.
struct BlockQ8_0 {
  uint16_t d;  // f16
  int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34, "as in files");

void quantize_row_Q8_0(const float* x, void* blocks, int64_t n);
void dequantize_row_Q8_0(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q8_0(const void* blocks, int64_t n);

}  // namespace nibble
