#pragma once

#include <cstdint>

#include "formats/formats.h"

namespace nibble {

constexpr int kValuesQ1_0 = 128;

// 128 signs: value j is d where bit j is set, else -d.
struct BlockQ1_0 {
  uint16_t d;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ1_0) == 18, "as in files");

void quantize_row_Q1_0(const float* x, void* blocks, int64_t n);
void dequantize_row_Q1_0(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q1_0(const void* blocks, int64_t n);

}  // namespace nibble
