#pragma once

#include <cstdint>

#include "formats/formats.h"

// BF16: the upper half of an F32, rounded to even.
namespace nibble {

void quantize_row_BF16(const float* x, void* blocks, int64_t n);
void dequantize_row_BF16(const void* blocks, float* x, int64_t n);
int64_t count_invalid_BF16(const void* blocks, int64_t n);

}  // namespace nibble
