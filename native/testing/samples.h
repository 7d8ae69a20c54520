#pragma once

#include <cmath>
#include <cstring>
#include <vector>

#include "testing/check.h"

// Rows of floats that quantizers have trouble with. None is NaN or infinite.
namespace nibble::testing {

enum class Sample {
  kNormal,  // as weights are
  kUniform,
  kAnyFinite,  // any bit pattern that is finite
  kSmall,      // any bit pattern times 1e-30: subnormals and zeros
  kHuge,       // up to 3e38
  kTies,       // multiples of a half, of both signs
  kConstant,
  kZeros,  // of both signs
  kOneOutlier,
  kPositive,
  kMirrored,  // the largest magnitude with both signs
};

constexpr Sample kAllSamples[] = {Sample::kNormal,   Sample::kUniform, Sample::kAnyFinite,
                                  Sample::kSmall,    Sample::kHuge,    Sample::kTies,
                                  Sample::kConstant, Sample::kZeros,   Sample::kOneOutlier,
                                  Sample::kPositive, Sample::kMirrored};

inline float any_finite(Random& random) {
  for (;;) {
    const uint32_t bits = random.bits();
    if ((bits & 0x7f800000u) == 0x7f800000u) continue;
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    return x;
  }
}

inline float normal(Random& random) {
  return std::sqrt(-2.0f * std::log(1.0f - random.unit())) * std::cos(6.2831853f * random.unit());
}

inline float sample_value(Sample sample, Random& random, size_t i) {
  switch (sample) {
    case Sample::kNormal:
      return 0.02f * normal(random);
    case Sample::kUniform:
      return 2.0f * random.unit() - 1.0f;
    case Sample::kAnyFinite:
      return any_finite(random);
    case Sample::kSmall:
      return any_finite(random) * 1e-30f;
    case Sample::kHuge:
      return (2.0f * random.unit() - 1.0f) * 3e38f;
    case Sample::kTies:
      return static_cast<float>(static_cast<int>(random.bits() % 65) - 32) * 0.5f;
    case Sample::kConstant:
      return -0.7f;
    case Sample::kZeros:
      return random.bits() % 2 == 0 ? 0.0f : -0.0f;
    case Sample::kOneOutlier:
      return i % 256 == 77 ? 1000.0f : 0.01f * normal(random);
    case Sample::kPositive:
      return random.unit() + 0.25f;
    case Sample::kMirrored:
      return i % 16 == 3 ? 1.0f : i % 16 == 9 ? -1.0f : random.unit();
  }
  return 0.0f;
}

inline std::vector<float> sample_row(Sample sample, Random& random, int64_t n) {
  std::vector<float> row(static_cast<size_t>(n));
  for (size_t i = 0; i < row.size(); ++i) row[i] = sample_value(sample, random, i);
  return row;
}

}  // namespace nibble::testing
