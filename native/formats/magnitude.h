#pragma once

#include <cmath>

namespace nibble {

// The largest of n magnitudes; what is NaN does not count.
static inline float largest_magnitude(const float* x, int n) {
  float amax = 0.0f;
  for (int j = 0; j < n; ++j) {
    if (std::fabs(x[j]) > amax) amax = std::fabs(x[j]);
  }
  return amax;
}

}  // namespace nibble
