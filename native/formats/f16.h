#pragma once

#include <cstdint>

#include "formats/formats.h"

// F16: IEEE half floats.
namespace nibble {

void quantize_row_F16(const float* x, void* blocks, int64_t n);
void dequantize_row_F16(const void* blocks, float* x, int64_t n);
int64_t count_invalid_F16(const void* blocks, int64_t n);

}  // namespace nibble
