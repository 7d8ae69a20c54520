#include "formats/mxfp4.h"

#include <cmath>

#include "formats/block32.h"
#include "formats/fp4.h"
#include "formats/magnitude.h"

namespace nibble {
namespace {

constexpr uint8_t kNaN = 255;

// floor(log2f(x)), without a mathematical library and so the same on every machine. It is the
// exponent of x, except just under a power of two: there log2f rounds up to the integer. x lies m
// units of 2^-24 (relative) under 2^k, so its logarithm lies m 2^-24 / ln 2 under k, and becomes k
// if that is less than half the spacing of floats under k.
int floor_log2(float x) {
  const uint32_t bits = bits_of(x);
  const int k = static_cast<int>(bits >> 23) - 126;
  const float above = static_cast<float>(k);
  const double half = (above - std::nextafter(above, -INFINITY)) / 2.0;
  const double under = (0x00800000u - (bits & 0x007fffffu)) / 16777216.0;
  return under < half * 0.69314718055994531 ? k : k - 1;
}

// The exponent that gives amax the largest exponent of a code: amax lies in 4 .. 8 times the scale,
// and what is over 6 of it becomes 6. Under 2^-125 the exponent is out of a byte's range, and
// upstream's conversion of it is not defined.
uint8_t exponent_of(float amax) {
  if (!(amax > 0.0f)) return 0;
  const int e = floor_log2(amax) - 2 + 127;
  return static_cast<uint8_t>(e < 0 ? 0 : e);
}

}  // namespace

void quantize_row_MXFP4(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockMXFP4*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    block->e = exponent_of(largest_magnitude(x + i, kBlock32));
    const float d = mxfp4_half_scale(block->e);
    uint8_t codes[kBlock32];
    for (int j = 0; j < kBlock32; ++j) codes[j] = nearest_fp4(x[i + j], d);
    pack_nibbles(codes, block->qs);
  }
}

void dequantize_row_MXFP4(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockMXFP4*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    const float d = mxfp4_half_scale(block->e);
    uint8_t codes[kBlock32];
    unpack_nibbles(block->qs, codes);
    for (int j = 0; j < kBlock32; ++j) x[i + j] = static_cast<float>(kFp4Values[codes[j]]) * d;
  }
}

int64_t count_invalid_MXFP4(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockMXFP4*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kBlock32, ++block) count += block->e == kNaN;
  return count;
}

}  // namespace nibble
