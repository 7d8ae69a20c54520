#pragma once

#include <cstdint>
#include <cstring>

namespace nibble {

// How many of `n` floats are NaN or infinite: those whose exponent is all ones.
inline int64_t count_non_finite(const float* x, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits;
    std::memcpy(&bits, x + i, sizeof(bits));
    count += (bits & 0x7f800000u) == 0x7f800000u;
  }
  return count;
}

}  // namespace nibble
