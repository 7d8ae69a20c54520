#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "formats/super_block.h"

// Searches for the scale (and the min) of a group of kCount values under weights, with the codes
// that belong to it. The bytes of files depend on every rounding: sums are floats and run over the
// values in their order, and products are taken from left to right.
//
// All are static: kernels compile them for their own instruction sets, and no such copy may become
// a symbol that other files use.
namespace nibble {

static inline int clamp_int(int x, int least, int most) {
  return x < least ? least : x > most ? most : x;
}

// Sum of squares, in order.
static inline float sum_of_squares(const float* x, int64_t n) {
  float sum = 0.0f;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum;
}

// An error counts by its column's importance, and more for a value that is large beside `variance`.
static inline void importance_weights(const float* x, const float* importance, float variance,
                                      int n, float* weights) {
  for (int i = 0; i < n; ++i) weights[i] = importance[i] * std::sqrt(variance + x[i] * x[i]);
}

static inline void square_weights(const float* x, int n, float* weights) {
  for (int i = 0; i < n; ++i) weights[i] = x[i] * x[i];
}

// What the weighted squared error of codes q depends on: their best scale is xq / qq, and the
// larger xq^2 / qq, the smaller the error.
struct CodeFit {
  float xq;  // sum w x q
  float qq;  // sum w q q

  void add(float x, float w, float q) {
    xq += w * x * q;
    qq += w * q * q;
  }
  float scale() const { return qq > 0.0f ? xq / qq : 0.0f; }
};

// The value of largest magnitude, the first of them.
template <int kCount>
static float extreme_of(const float* x) {
  float extreme = 0.0f;
  for (int i = 0; i < kCount; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  return extreme;
}

template <int kCount>
static CodeFit symmetric_fit(const float* x, const float* weights, int half, float iscale) {
  CodeFit fit = {0.0f, 0.0f};
  for (int i = 0; i < kCount; ++i) {
    const int code = clamp_int(nearest_int(iscale * x[i]), -half, half - 1);
    fit.add(x[i], weights[i], static_cast<float>(code));
  }
  return fit;
}

// x ~ scale (code - half), codes 0 .. 2 half - 1: of 19 trial scales around the one that maps the
// extreme value to code 0, the one whose codes fit best. A group of zeros has codes 0. Returns
// scale.
template <int kCount>
static float search_symmetric(const float* x, const float* weights, int half, uint8_t* codes) {
  std::memset(codes, 0, kCount);
  const float extreme = extreme_of<kCount>(x);
  if (std::fabs(extreme) < kGroupEpsilon) return 0.0f;
  float chosen = static_cast<float>(-half) / extreme;
  const CodeFit first = symmetric_fit<kCount>(x, weights, half, chosen);
  float scale = first.qq != 0.0f ? first.xq / first.qq : 0.0f;
  float best = scale * first.xq;
  for (int trial = -9; trial <= 9; ++trial) {
    if (trial == 0) continue;
    const float iscale = -(static_cast<float>(half) + 0.1f * static_cast<float>(trial)) / extreme;
    const CodeFit fit = symmetric_fit<kCount>(x, weights, half, iscale);
    if (fit.qq > 0.0f && fit.xq * fit.xq > best * fit.qq) {
      chosen = iscale;
      scale = fit.xq / fit.qq;
      best = scale * fit.xq;
    }
  }
  for (int i = 0; i < kCount; ++i) {
    const int code = clamp_int(nearest_int(chosen * x[i]), -half, half - 1);
    codes[i] = static_cast<uint8_t>(code + half);
  }
  return scale;
}

// Up to five passes over the codes: each becomes the one nearest to its value under the scale of
// all the others, where the whole then fits better. `nearest` clamps; `needs_others` skips a code
// where the others alone have no scale.
template <int kCount, typename Code, typename Nearest>
static void refine_codes(const float* x, const float* weights, bool needs_others,
                         const Nearest& nearest, Code* codes, CodeFit* fit) {
  for (int pass = 0; pass < 5; ++pass) {
    bool changed = false;
    for (int i = 0; i < kCount; ++i) {
      const float w = weights[i];
      const float code = static_cast<float>(codes[i]);
      CodeFit trial = {fit->xq - w * x[i] * code, fit->qq - w * code * code};
      if (!(trial.xq > 0.0f) || (needs_others && !(trial.qq > 0.0f))) continue;
      const int other = nearest(x[i] * trial.qq / trial.xq);
      if (other == codes[i]) continue;
      trial.add(x[i], w, static_cast<float>(other));
      if (!(trial.qq > 0.0f) || !(trial.xq * trial.xq * fit->qq > fit->xq * fit->xq * trial.qq)) {
        continue;
      }
      codes[i] = static_cast<Code>(other);
      *fit = trial;
      changed = true;
    }
    if (!changed) return;
  }
}

// x ~ scale * code for values from 0, codes 0 .. most: of nine trial scales around most / max, the
// one with the smallest error; then refined. Returns the scale.
//
// A value under 0, which rounding can leave where the values of a group are all but equal, has a
// code that wraps, as upstream has it.
template <int kCount>
static float search_positive(const float* x, const float* weights, int most, uint8_t* codes) {
  std::memset(codes, 0, kCount);
  float max = 0.0f;
  for (int i = 0; i < kCount; ++i) max = max > x[i] ? max : x[i];
  if (max < kGroupEpsilon) return 0.0f;
  const auto nearest = [most](float q) {
    const int code = nearest_int(q);
    return code < most ? code : most;
  };
  float chosen = static_cast<float>(most) / max;
  float best = 0.0f;
  for (int i = 0; i < kCount; ++i) {
    const auto code = static_cast<uint8_t>(nearest_int(chosen * x[i]));
    const float error = x[i] - 1.0f / chosen * static_cast<float>(code);
    best += weights[i] * error * error;
  }
  for (int trial = -4; trial <= 4; ++trial) {
    if (trial == 0) continue;
    const float iscale = (0.1f * static_cast<float>(trial) + static_cast<float>(most)) / max;
    const float scale = 1.0f / iscale;
    float sum = 0.0f;
    for (int i = 0; i < kCount; ++i) {
      const float error = x[i] - scale * static_cast<float>(nearest(iscale * x[i]));
      sum += weights[i] * error * error;
    }
    if (sum < best) {
      best = sum;
      chosen = iscale;
    }
  }
  CodeFit fit = {0.0f, 0.0f};
  for (int i = 0; i < kCount; ++i) {
    const int code = nearest(chosen * x[i]);
    codes[i] = static_cast<uint8_t>(code);
    fit.add(x[i], weights[i], static_cast<float>(code));
  }
  refine_codes<kCount>(x, weights, true, nearest, codes, &fit);
  return fit.scale();
}

// Trial t = 0 .. last has the inverse scale (most + first + step * t) / (max - min).
struct AffineTrials {
  float first;
  float step;
  int last;
  bool absolute;  // the error is |x - y|, else its square
};

// With importance all types try these.
constexpr AffineTrials kImportanceTrials = {-0.9f, 0.05f, 36, false};

// x ~ scale * code + min, min <= 0.
struct AffineFit {
  float scale;
  float min;
};

template <int kCount>
static void affine_round(const float* x, float iscale, float min, int most, uint8_t* codes) {
  for (int i = 0; i < kCount; ++i)
    codes[i] = static_cast<uint8_t>(clamp_int(nearest_int(iscale * (x[i] - min)), 0, most));
}

template <int kCount>
static float affine_error(const float* x, const float* weights, const uint8_t* codes,
                          const AffineFit& fit, bool absolute) {
  float sum = 0.0f;
  for (int i = 0; i < kCount; ++i) {
    const float error = fit.scale * static_cast<float>(codes[i]) + fit.min - x[i];
    sum += weights[i] * (absolute ? std::fabs(error) : error * error);
  }
  return sum;
}

struct AffineSums {
  float w;
  float x;   // sum w x
  float q;   // sum w q
  float qq;  // sum w q q
  float xq;  // sum w q x
};

// The least squares' scale and min for codes with these sums; false where all codes are equal.
static inline bool affine_least_squares(const AffineSums& sums, AffineFit* fit) {
  const float determinant = sums.w * sums.qq - sums.q * sums.q;
  if (!(determinant > 0.0f)) return false;
  fit->scale = (sums.w * sums.xq - sums.x * sums.q) / determinant;
  fit->min = (sums.qq * sums.x - sums.q * sums.xq) / determinant;
  if (fit->min > 0.0f) *fit = {sums.xq / sums.qq, 0.0f};
  return true;
}

template <int kCount>
static void add_codes(const float* x, const float* weights, const uint8_t* codes,
                      AffineSums* sums) {
  sums->q = sums->qq = sums->xq = 0.0f;
  for (int i = 0; i < kCount; ++i) {
    const float q = static_cast<float>(codes[i]);
    const float wq = weights[i] * q;
    sums->q += wq;
    sums->qq += wq * q;
    sums->xq += wq * x[i];
  }
}

// Codes 0 .. most of the scale and min with the smallest error: first (max - min) / most, then for
// every trial the least squares of its codes. A trial starts from the min that is the best so far.
template <int kCount>
static AffineFit search_affine(const float* x, const float* weights, int most,
                               const AffineTrials& trials, uint8_t* codes) {
  float min = x[0];
  float max = x[0];
  AffineSums sums = {weights[0], weights[0] * x[0], 0.0f, 0.0f, 0.0f};
  for (int i = 1; i < kCount; ++i) {
    if (x[i] < min) min = x[i];
    if (x[i] > max) max = x[i];
    sums.w += weights[i];
    sums.x += weights[i] * x[i];
  }
  if (min > 0.0f) min = 0.0f;
  std::memset(codes, 0, kCount);
  if (max == min) return {0.0f, min};
  const float iscale = static_cast<float>(most) / (max - min);
  AffineFit best = {1.0f / iscale, min};
  affine_round<kCount>(x, iscale, min, most, codes);
  float best_error = affine_error<kCount>(x, weights, codes, best, trials.absolute);
  for (int t = 0; t <= trials.last; ++t) {
    const float steps =
        trials.first + trials.step * static_cast<float>(t) + static_cast<float>(most);
    uint8_t trial_codes[kCount];
    affine_round<kCount>(x, steps / (max - best.min), best.min, most, trial_codes);
    add_codes<kCount>(x, weights, trial_codes, &sums);
    AffineFit fit;
    if (!affine_least_squares(sums, &fit)) continue;
    const float error = affine_error<kCount>(x, weights, trial_codes, fit, trials.absolute);
    if (error < best_error) {
      std::memcpy(codes, trial_codes, kCount);
      best = fit;
      best_error = error;
    }
  }
  return best;
}

}  // namespace nibble
