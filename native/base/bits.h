#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

namespace nibble {

// The lowest bit that is set, as one has to be.
static inline int first_bit(unsigned bits) {
#if defined(_MSC_VER) && !defined(__clang__)
  unsigned long first;
  _BitScanForward(&first, bits);
  return static_cast<int>(first);
#else
  return __builtin_ctz(bits);
#endif
}

}  // namespace nibble
