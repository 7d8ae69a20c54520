#pragma once

#include <cmath>
#include <cstdint>

// Floats of 4 bits (E2M1: a sign, two bits of exponent, one of mantissa), as the OCP Microscaling
// specification has them: what MXFP4 and NVFP4 store under their scales.
namespace nibble {

// Twice the value of each code, so that all are integers: scales are taken at half their value.
constexpr int8_t kFp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// The code whose value times d is nearest to x, the first of several.
static inline uint8_t nearest_fp4(float x, float d) {
  uint8_t best = 0;
  float least = std::fabs(x);
  for (uint8_t code = 1; code < 16; ++code) {
    const float error = std::fabs(static_cast<float>(kFp4Values[code]) * d - x);
    if (error < least) {
      best = code;
      least = error;
    }
  }
  return best;
}

}  // namespace nibble
