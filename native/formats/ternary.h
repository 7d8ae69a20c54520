#pragma once

#include <cmath>
#include <cstdint>

// What the types share whose scale is the largest magnitude of a block: values become -d, 0 or d.
namespace nibble {

// What a product that no integer holds becomes with TQ1_0 and TQ2_0: on x86 the least long, whose
// low bits are zeros. With Q2_0 it is the least int, and 0 the code.
constexpr uint8_t kNoProductTQ = 1;
constexpr uint8_t kNoProductQ2_0 = 0;

// 0, 1 or 2 for -d, 0 or d, whichever is nearest to x; halfway goes away from zero. Under a d of
// 2^-128 its inverse is infinite: products that no integer holds become `none`.
static inline uint8_t ternary_code(float x, float inverse, uint8_t none) {
  const float q = x * inverse;
  if (!(std::fabs(q) < 2.0f)) return none;
  return static_cast<uint8_t>(1 + (q >= 0.5f) - (q <= -0.5f));
}

static inline void ternary_codes(const float* x, int n, float d, uint8_t none, uint8_t* codes) {
  const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
  for (int j = 0; j < n; ++j) codes[j] = ternary_code(x[j], inverse, none);
}

}  // namespace nibble
