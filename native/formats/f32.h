#pragma once

#include <cstdint>

#include "formats/formats.h"

// F32: the values themselves, little-endian.
namespace nibble {

void quantize_row_F32(const float* x, void* blocks, int64_t n);
void dequantize_row_F32(const void* blocks, float* x, int64_t n);
int64_t count_invalid_F32(const void* blocks, int64_t n);

}  // namespace nibble
