#pragma once

#include <cstdint>
#include <cstring>

#include "formats/scale_search.h"
#include "kernels/quantize_row/group_lanes.h"

// search_symmetric (formats/scale_search.h) with a group of values in every lane: V::kWidth groups
// side by side, each doing what the scalar reference does, in its order.
namespace nibble {
namespace {

template <typename V>
struct LaneFit {
  typename V::F32 xq;  // sum w x q
  typename V::F32 qq;  // sum w q q
};

// Values of groups in lanes, their weights, and the products of both.
template <typename V, int kGroup>
struct SymmetricLanes {
  using F32 = typename V::F32;
  F32 x[kGroup];
  F32 w[kGroup];
  F32 wx[kGroup];
};

// symmetric_fit of kTrials inverse scales: their sums wait for the adder side by side. No value is
// beyond half + 1 under any of them, so that nearest_int is rounding.
template <int kTrials, typename V, int kGroup>
void fit_symmetric(const SymmetricLanes<V, kGroup>& lanes, int half, const typename V::F32* iscales,
                   LaneFit<V>* fits) {
  using F32 = typename V::F32;
  const F32 least = V::set1(static_cast<float>(-half));
  const F32 most = V::set1(static_cast<float>(half - 1));
  LaneFit<V> sums[kTrials];
  for (LaneFit<V>& sum : sums) sum.xq = sum.qq = V::set1(0.0f);
  for (int i = 0; i < kGroup; ++i) {
    for (int t = 0; t < kTrials; ++t) {
      const F32 v = V::round(V::mul(iscales[t], lanes.x[i]));
      const F32 q = V::min(V::max(v, least), most);
      sums[t].xq = V::add(sums[t].xq, V::mul(lanes.wx[i], q));
      sums[t].qq = V::add(sums[t].qq, V::mul(V::mul(lanes.w[i], q), q));
    }
  }
  for (int t = 0; t < kTrials; ++t) fits[t] = sums[t];
}

// Scales of V::kWidth groups, and for each the trial's inverse scale that its codes come from (0
// for a group of zeros). `lanes` has x and w.
template <typename V, int kGroup>
void search_symmetric_lanes(int half, SymmetricLanes<V, kGroup>* lanes, float* scales,
                            float* chosen_iscales) {
  using F32 = typename V::F32;
  constexpr int kAtOnce = 3;
  const F32 zero = V::set1(0.0f);
  const F32 extreme = extreme_lanes<V, kGroup>(lanes->x);
  for (int i = 0; i < kGroup; ++i) lanes->wx[i] = V::mul(lanes->w[i], lanes->x[i]);
  F32 chosen = V::div(V::set1(static_cast<float>(-half)), extreme);
  LaneFit<V> first;
  fit_symmetric<1, V, kGroup>(*lanes, half, &chosen, &first);
  F32 scale = V::blend(V::div(first.xq, first.qq), zero, V::equal(first.qq, zero));
  F32 best = V::mul(scale, first.xq);
  for (int k = 0; k < 18; k += kAtOnce) {
    F32 iscales[kAtOnce];
    LaneFit<V> fits[kAtOnce];
    for (int t = 0; t < kAtOnce; ++t) {
      const int trial = k + t < 9 ? k + t - 9 : k + t - 8;  // -9 .. 9 without 0
      const float steps = static_cast<float>(half) + 0.1f * static_cast<float>(trial);
      iscales[t] = V::div(V::set1(-steps), extreme);
    }
    fit_symmetric<kAtOnce, V, kGroup>(*lanes, half, iscales, fits);
    for (int t = 0; t < kAtOnce; ++t) {
      const LaneFit<V>& fit = fits[t];
      const typename V::Mask better =
          V::both(V::gt(fit.qq, zero), V::gt(V::mul(fit.xq, fit.xq), V::mul(best, fit.qq)));
      const F32 own = V::div(fit.xq, fit.qq);
      chosen = V::blend(chosen, iscales[t], better);
      scale = V::blend(scale, own, better);
      best = V::blend(best, V::mul(own, fit.xq), better);
    }
  }
  const typename V::Mask zeros = V::gt(V::set1(kGroupEpsilon), V::abs(extreme));
  V::store(scales, V::blend(scale, zero, zeros));
  V::store(chosen_iscales, V::blend(chosen, zero, zeros));
}

// Codes of a group: values times `by` (or divided by it) to the nearest integer, -half .. half - 1,
// plus half. A group of zeros, whose `by` is 0, has codes of 0.
template <typename V, int kGroup>
void round_symmetric(const float* x, float by, bool divide, int half, uint8_t* codes) {
  if (by == 0.0f) {
    std::memset(codes, 0, kGroup);
    return;
  }
  const typename V::F32 to_code = V::set1(static_cast<float>(half));
  for (int i = 0; i < kGroup; i += V::kWidth) {
    const typename V::F32 v = V::load(x + i);
    const typename V::F32 q = divide ? V::div(v, V::set1(by)) : V::mul(V::set1(by), v);
    V::store_codes(codes + i, V::add(V::nearest(q, -half, half - 1), to_code), 2 * half - 1);
  }
}

}  // namespace
}  // namespace nibble
