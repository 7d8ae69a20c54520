#pragma once

#include <cstdint>

#include "base/half.h"
#include "base/inline.h"
#include "formats/scale_search.h"
#include "kernels/quantize_row/group_lanes.h"

// The search for scale and min (formats/scale_search.h) with a group of values in every lane:
// V::kWidth groups side by side, each doing what search_affine does, in its order.
namespace nibble {
namespace {

// Value i of lane g and its weight; what no trial changes.
template <typename V, int kGroup>
struct WeightedLanes {
  using F32 = typename V::F32;
  F32 x[kGroup];
  F32 w[kGroup];
  F32 min;  // at most 0
  F32 max;
  F32 least;  // min before it is cut to 0
  F32 sum_w;
  F32 sum_x;  // sum w x
};

// What is found for every group. Its codes are nearest_int(iscale (x - start)), which are stored
// only where the scale is stored as 0: a flat group has an iscale of 0.
template <int kCount>
struct FoundGroups {
  float scales[kCount];
  float mins[kCount];  // subtracted: at least 0
  float iscales[kCount];
  float starts[kCount];
  float weights[kCount];  // sums
};

template <typename V, int kGroup>
void prepare_lanes(WeightedLanes<V, kGroup>* lanes) {
  using F32 = typename V::F32;
  F32 min = lanes->x[0];
  F32 max = min;
  F32 sum_w = lanes->w[0];
  F32 sum_x = V::mul(sum_w, min);
  for (int i = 1; i < kGroup; ++i) {
    const F32 x = lanes->x[i];
    min = V::blend(min, x, V::gt(min, x));
    max = V::blend(max, x, V::gt(x, max));
    sum_w = V::add(sum_w, lanes->w[i]);
    sum_x = V::add(sum_x, V::mul(lanes->w[i], x));
  }
  const F32 zero = V::set1(0.0f);
  lanes->least = min;
  lanes->min = V::blend(min, zero, V::gt(min, zero));
  lanes->max = max;
  lanes->sum_w = sum_w;
  lanes->sum_x = sum_x;
}

template <typename V>
struct LaneSums {
  typename V::F32 q;   // sum w q
  typename V::F32 qq;  // sum w q q
  typename V::F32 xq;  // sum w q x
};

// The codes under iscale and start, and their sums. `kSmall`: no |iscale (x - start)| reaches 2^22,
// where nearest_int is rounding. (Not inlined, this and the error take an eighth of AVX2's speed.)
template <bool kSmall, typename V, int kGroup>
NIBBLE_INLINE LaneSums<V> code_lanes(const WeightedLanes<V, kGroup>& lanes, typename V::F32 iscale,
                                     typename V::F32 start, int most, typename V::F32* codes) {
  using F32 = typename V::F32;
  const F32 zero = V::set1(0.0f);
  const F32 last = V::set1(static_cast<float>(most));
  LaneSums<V> sums = {zero, zero, zero};
  for (int i = 0; i < kGroup; ++i) {
    const F32 x = lanes.x[i];
    const F32 v = V::mul(iscale, V::sub(x, start));
    F32 q;
    if constexpr (kSmall) {
      q = V::min(V::max(V::round(v), zero), last);
    } else {
      q = V::nearest(v, 0, most);
    }
    const F32 wq = V::mul(lanes.w[i], q);
    codes[i] = q;
    sums.q = V::add(sums.q, wq);
    sums.qq = V::add(sums.qq, V::mul(wq, q));
    sums.xq = V::add(sums.xq, V::mul(wq, x));
  }
  return sums;
}

// Rounding keeps order, so v = iscale (x - start) lies between those of the least and the largest
// x: where these are under 2^22, all are.
template <typename V, int kGroup>
NIBBLE_INLINE LaneSums<V> code_lanes(const WeightedLanes<V, kGroup>& lanes, typename V::F32 iscale,
                                     typename V::F32 start, int most, typename V::F32* codes) {
  const typename V::F32 limit = V::set1(4194304.0f);
  const typename V::F32 low = V::abs(V::mul(iscale, V::sub(lanes.least, start)));
  const typename V::F32 high = V::abs(V::mul(iscale, V::sub(lanes.max, start)));
  return V::holds(V::both(V::gt(limit, low), V::gt(limit, high)))
             ? code_lanes<true, V, kGroup>(lanes, iscale, start, most, codes)
             : code_lanes<false, V, kGroup>(lanes, iscale, start, most, codes);
}

template <bool kAbsolute, typename V, int kGroup>
NIBBLE_INLINE typename V::F32 error_lanes(const WeightedLanes<V, kGroup>& lanes,
                                          const typename V::F32* codes, typename V::F32 scale,
                                          typename V::F32 min) {
  typename V::F32 sum = V::set1(0.0f);
  for (int i = 0; i < kGroup; ++i) {
    const typename V::F32 error = V::sub(V::add(V::mul(scale, codes[i]), min), lanes.x[i]);
    if constexpr (kAbsolute) {
      sum = V::add(sum, V::mul(lanes.w[i], V::abs(error)));
    } else {
      sum = V::add(sum, V::mul(lanes.w[i], V::mul(error, error)));
    }
  }
  return sum;
}

template <typename V>
struct LaneAffine {
  typename V::F32 scale;
  typename V::F32 min;
  typename V::Mask valid;
};

// affine_least_squares.
template <typename V, int kGroup>
LaneAffine<V> solve_lanes(const WeightedLanes<V, kGroup>& lanes, const LaneSums<V>& sums) {
  using F32 = typename V::F32;
  const F32 zero = V::set1(0.0f);
  const F32 determinant = V::sub(V::mul(lanes.sum_w, sums.qq), V::mul(sums.q, sums.q));
  const F32 scale =
      V::div(V::sub(V::mul(lanes.sum_w, sums.xq), V::mul(lanes.sum_x, sums.q)), determinant);
  const F32 min =
      V::div(V::sub(V::mul(sums.qq, lanes.sum_x), V::mul(sums.q, sums.xq)), determinant);
  LaneAffine<V> fit = {scale, min, V::gt(determinant, zero)};
  if (V::holds(V::gt(zero, min))) return fit;
  const typename V::Mask above = V::gt(min, zero);
  fit.scale = V::blend(scale, V::div(sums.xq, sums.qq), above);
  fit.min = V::blend(min, zero, above);
  return fit;
}

// search_affine for V::kWidth groups from group `at`.
template <bool kAbsolute, typename V, int kGroup, int kCount>
void search_affine_lanes(const WeightedLanes<V, kGroup>& lanes, int most,
                         const AffineTrials& trials, int at, FoundGroups<kCount>* found) {
  using F32 = typename V::F32;
  const F32 zero = V::set1(0.0f);
  const F32 one = V::set1(1.0f);
  // Flat groups go along without dividing by 0.
  const typename V::Mask flat = V::equal(lanes.max, lanes.min);
  F32 codes[kGroup];
  F32 min = lanes.min;
  F32 start = min;
  F32 chosen =
      V::div(V::set1(static_cast<float>(most)), V::blend(V::sub(lanes.max, min), one, flat));
  F32 scale = V::div(one, chosen);
  code_lanes<V, kGroup>(lanes, chosen, min, most, codes);
  F32 best = error_lanes<kAbsolute, V, kGroup>(lanes, codes, scale, min);
  for (int t = 0; t <= trials.last; ++t) {
    const float steps =
        trials.first + trials.step * static_cast<float>(t) + static_cast<float>(most);
    const F32 iscale = V::div(V::set1(steps), V::blend(V::sub(lanes.max, min), one, flat));
    const LaneSums<V> sums = code_lanes<V, kGroup>(lanes, iscale, min, most, codes);
    const LaneAffine<V> fit = solve_lanes<V, kGroup>(lanes, sums);
    const F32 error = error_lanes<kAbsolute, V, kGroup>(lanes, codes, fit.scale, fit.min);
    const typename V::Mask better = V::both(fit.valid, V::gt(best, error));
    chosen = V::blend(chosen, iscale, better);
    start = V::blend(start, min, better);
    scale = V::blend(scale, fit.scale, better);
    min = V::blend(min, fit.min, better);
    best = V::blend(best, error, better);
  }
  V::store(found->scales + at, V::blend(scale, zero, flat));
  V::store(found->mins + at, V::blend(min, lanes.min, flat));
  for (int g = at; g < at + V::kWidth; ++g) found->mins[g] = -found->mins[g];
  V::store(found->iscales + at, V::blend(chosen, zero, flat));
  V::store(found->starts + at, V::blend(start, zero, flat));
  V::store(found->weights + at, lanes.sum_w);
}

// Codes of a group as they were found.
template <typename V, int kGroup>
void round_affine(const float* x, float iscale, float start, int most, uint8_t* codes) {
  for (int i = 0; i < kGroup; i += V::kWidth) {
    const typename V::F32 v = V::sub(V::load(x + i), V::set1(start));
    V::store_codes(codes + i, V::nearest(V::mul(V::set1(iscale), v), 0, most), most);
  }
}

}  // namespace
}  // namespace nibble
