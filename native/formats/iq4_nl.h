#pragma once

#include <cstdint>

#include "formats/formats.h"

namespace nibble {

// 32 values: code q stands for level q times d. Levels: iq4_levels.h. Packing: block32.h.
struct BlockIQ4_NL {
  uint16_t d;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockIQ4_NL) == 18, "as in files");

void quantize_row_IQ4_NL(const float* x, void* blocks, int64_t n);
void quantize_weighted_IQ4_NL(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_IQ4_NL(const void* blocks, float* x, int64_t n);
int64_t count_invalid_IQ4_NL(const void* blocks, int64_t n);

}  // namespace nibble
