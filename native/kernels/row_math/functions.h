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

// The same in double precision within 1e-11, for x in -700 .. 700: for sums whose logarithm counts.
// The series of the rest ends after its tenth term.
static inline double exact_exp_of(double x) {
  const double low = x < -700.0 ? -700.0 : x;
  const double kept = low > 700.0 ? 700.0 : low;
  const double shifted = kept * 1.4426950408889634 + 6755399441055744.0;  // 1.5 * 2^52
  const double whole = shifted - 6755399441055744.0;
  const double r = (kept - whole * 0.69314718036912382) - whole * 1.9082149292705877e-10;
  double p = 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r * r + r + 1.0;
  uint64_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits << 52) + 0x3ff0000000000000u;
  double power;
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
