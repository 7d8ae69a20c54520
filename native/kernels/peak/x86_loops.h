#pragma once

#include <immintrin.h>

// Loops of AVX2 that more than one instruction set has. Anonymous: every file compiles its own.
namespace nibble {
namespace {

struct FloatsAvx2 {
  using Sum = __m256;
  static constexpr double kOperations = 2 * 8;
  static Sum zero(int i) { return _mm256_set1_ps(static_cast<float>(i)); }
  static Sum add(Sum sum, int i) {
    return _mm256_fmadd_ps(sum, _mm256_set1_ps(0.5f),
                           _mm256_set1_ps(static_cast<float>(1 + i % 2)));
  }
  static float reduce(Sum sum) {
    float lanes[8];
    _mm256_storeu_ps(lanes, sum);
    float total = 0.0f;
    for (const float lane : lanes) total += lane;
    return total;
  }
};

}  // namespace
}  // namespace nibble
