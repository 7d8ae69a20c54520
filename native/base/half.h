#pragma once

#include <cstdint>
#include <cstring>

// Half floats and bfloat16, in integer arithmetic: the same bits on every machine.
namespace nibble {

static inline uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

static inline float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// Exact. Subnormal halves become normal floats; NaN keeps its payload and is made quiet.
static inline float f16_to_f32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {
    // mantissa * 2^-24, which a float holds exactly.
    return float_of(sign | bits_of(static_cast<float>(mantissa) * 5.9604644775390625e-8f));
  }
  if (exponent == 0x1fu) {
    return float_of(sign | 0x7f800000u | (mantissa << 13) | (mantissa != 0 ? 0x00400000u : 0));
  }
  return float_of(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

// To the nearest half, ties to even; too large becomes infinity, NaN the quiet NaN of its sign.
static inline uint16_t f32_to_f16(float x) {
  const uint32_t bits = bits_of(x);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // 65520 and more
  if (magnitude < 0x38800000u) {
    // Under 2^-14: adding 0.5 leaves the half's subnormal mantissa, rounded to even, in the lowest
    // bits.
    return static_cast<uint16_t>(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0x0fffu + odd) >> 13));
}

static inline float bf16_to_f32(uint16_t upper) {
  return float_of(static_cast<uint32_t>(upper) << 16);
}

// To the nearest, ties to even; NaN is made quiet.
static inline uint16_t f32_to_bf16(float x) {
  const uint32_t bits = bits_of(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace nibble
