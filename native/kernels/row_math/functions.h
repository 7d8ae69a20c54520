#pragma once

#include <cstdint>
#include <cstring>

// Functions of one value without branches or calls, so that compilers make vectors of loops over
// them. Static: every file of an instruction set compiles its own copy.
namespace nibble {

// e^x within 2 units in the last place for x in -87 .. 88, kept in that range outside; NaN stays.
// 2^round(x / ln 2) times a polynomial of the rest, which is at most ln 2 / 2 (Cephes' expf).
static inline float exp_of(float x) {
  const float low = x < -87.0f ? -87.0f : x;
  const float kept = low > 88.0f ? 88.0f : low;
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
  const float shifted = kept * 1.44269504f + 12582912.0f;
  const float whole = shifted - 12582912.0f;
  const float r = (kept - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits << 23) + 0x3f800000u;
  float power;
  std::memcpy(&power, &bits, sizeof(power));
  return p * power;
}

// tanh within 4e-7 of its value. Where 1 - 2 / (e^2x + 1) would lose digits stands its series.
static inline float tanh_of(float x) {
  const float square = x * x;
  const float series =
      x + x * square * (-0.333333333f + square * (0.133333333f + square * -0.0539682540f));
  const float whole = 1.0f - 2.0f / (exp_of(2.0f * x) + 1.0f);
  return square < 0.04f ? series : whole;
}

static inline float silu_of(float x) { return x / (1.0f + exp_of(-x)); }

// (1 + tanh(y)) / 2 is 1 / (1 + e^-2y).
static inline float gelu_of(float x) {
  return x / (1.0f + exp_of(-1.59576912f * (x + 0.044715f * x * x * x)));
}

}  // namespace nibble
