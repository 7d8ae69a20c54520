#pragma once

#include <cmath>
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

// floor(log2f(x)), without a mathematical library and so the same on every machine. It is the
// exponent of x, except just under a power of two: there log2f rounds up to the integer. x lies m
// units of 2^-24 (relative) under 2^k, so its logarithm lies m 2^-24 / ln 2 under k, and becomes k
// if that is less than half the spacing of floats under k.
static inline int floor_log2(float x) {
  const uint32_t bits = bits_of(x);
  const int k = static_cast<int>(bits >> 23) - 126;
  const uint32_t m = 0x00800000u - (bits & 0x007fffffu);
  // Half a spacing is at most 2^-18, as k is at most 128: 45 units.
  if (m > 64) return k - 1;
  const float above = static_cast<float>(k);
  const double half = (above - std::nextafter(above, -INFINITY)) / 2.0;
  return m / 16777216.0 < half * 0.69314718055994531 ? k : k - 1;
}

// The exponent that gives amax the largest exponent of a code: amax lies in 4 .. 8 times the scale,
// and what is over 6 of it becomes 6. Under 2^-125 the exponent is out of a byte's range, and
// upstream's conversion of it is not defined.
static inline uint8_t mxfp4_exponent(float amax) {
  if (!(amax > 0.0f)) return 0;
  const int e = floor_log2(amax) - 2 + 127;
  return static_cast<uint8_t>(e < 0 ? 0 : e);
}

void quantize_row_MXFP4(const float* x, void* blocks, int64_t n);
void dequantize_row_MXFP4(const void* blocks, float* x, int64_t n);
int64_t count_invalid_MXFP4(const void* blocks, int64_t n);

}  // namespace nibble
