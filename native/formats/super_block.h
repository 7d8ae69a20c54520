#pragma once

#include <cstdint>
#include <cstring>

// What the K types share: super-blocks of 256 values.
namespace nibble {

constexpr int kSuperBlock = 256;  // QK_K

// Magnitudes under this count as zero.
constexpr float kGroupEpsilon = 1e-15f;

// To the nearest integer, ties to even, by the float adder: 1.5 * 2^23 leaves the integer in the
// mantissa. Defined for any float; right for |x| < 2^22.
static inline int nearest_int(float x) {
  const float shifted = x + 12582912.0f;
  int32_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  return (bits & 0x007fffff) - 0x00400000;
}

}  // namespace nibble
