#pragma once

#include <cmath>
#include <cstdint>

#include "formats/iq4_levels.h"
#include "formats/scale_search.h"

// How IQ4_NL and IQ4_XS find the scale of 32 values, and their codes.
namespace nibble {

// The code of the nearest level, the upper one halfway between two. NaN is 15.
//
// Upstream takes the lower level where x - lower < upper - x; both differences are exact near the
// middle, so that this is x < middle.
static inline int nearest_iq4_code(float x) {
  int code = 0;
  for (int i = 0; i < 15; ++i) code += !(x < iq4_middle(i));
  return code;
}

static inline void iq4_codes(const float* x, float iscale, uint8_t codes[kBlock32]) {
  for (int i = 0; i < kBlock32; ++i) {
    codes[i] = static_cast<uint8_t>(nearest_iq4_code(iscale * x[i]));
  }
}

// The variance behind the weights, from the sum of squares of n values.
static inline float iq4_variance(float sum, int n) { return sum * (2.0f / static_cast<float>(n)); }

// What a file's importance makes of the 32 weights of a block; without it, x^2.
static inline void iq4_weights(const float* x, const float* importance, float variance,
                               float weights[kBlock32]) {
  if (importance == nullptr) {
    square_weights(x, kBlock32, weights);
  } else {
    importance_weights(x, importance, variance, kBlock32, weights);
  }
}

// The levels nearest to x * iscale: xq = sum w q x, qq = sum w q q.
static inline CodeFit iq4_fit(const float* x, const float* weights, float iscale) {
  CodeFit fit = {0.0f, 0.0f};
  for (int i = 0; i < kBlock32; ++i) {
    const float q = static_cast<float>(kIq4Levels[nearest_iq4_code(iscale * x[i])]);
    fit.xq += weights[i] * q * x[i];
    fit.qq += weights[i] * q * q;
  }
  return fit;
}

constexpr int kIq4LastTrial = 7;

// x ~ scale * level: of the scale that maps the extreme value to 127 and of 15 that map it to -120
// .. -134, the one whose levels leave the smallest squared error under `weights`. 0 for zeros.
static inline float search_iq4_scale(const float* x, const float* weights) {
  const float extreme = extreme_of<kBlock32>(x);
  if (std::fabs(extreme) < kGroupEpsilon) return 0.0f;
  const float lowest = static_cast<float>(kIq4Levels[0]);
  const CodeFit first = iq4_fit(x, weights, 1.0f / (-extreme / lowest));
  float scale = first.scale();
  float best = scale * first.xq;
  for (int trial = -kIq4LastTrial; trial <= kIq4LastTrial; ++trial) {
    const CodeFit fit = iq4_fit(x, weights, (static_cast<float>(trial) + lowest) / extreme);
    if (fit.qq > 0.0f && fit.xq * fit.xq > best * fit.qq) {
      scale = fit.xq / fit.qq;
      best = scale * fit.xq;
    }
  }
  return scale;
}

}  // namespace nibble
