#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/formats.h"

namespace nibble {

// 32 floats of 4 bits (fp4.h) times 2^(e - 127). Packing of the codes: block32.h.
struct BlockMXFP4 {
  uint8_t e;
  uint8_t qs[16];
};
static_assert(sizeof(BlockMXFP4) == 17, "as in files");

// 2^(e - 128), half the scale: subnormal for the two smallest exponents.
static inline float mxfp4_half_scale(uint8_t e) {
  return float_of(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

void quantize_row_MXFP4(const float* x, void* blocks, int64_t n);
void dequantize_row_MXFP4(const void* blocks, float* x, int64_t n);
int64_t count_invalid_MXFP4(const void* blocks, int64_t n);

}  // namespace nibble
