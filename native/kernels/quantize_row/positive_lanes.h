#pragma once

#include "formats/super_block.h"

// search_positive (formats/scale_search.h) with a group of values in every lane; only the scale.
namespace nibble {
namespace {

// nearest_int, at most `most`, as floats.
template <typename V>
typename V::F32 nearest_up_to(typename V::F32 v, int most) {
  return V::nearest(v, -0x00400000, most);
}

// What is left of an integer in a byte: minus 256 times the floor of its 256th. The floor is
// rounding after half less half a step.
template <typename V>
typename V::F32 in_byte(typename V::F32 code) {
  using F32 = typename V::F32;
  const F32 part = V::mul(code, V::set1(1.0f / 256.0f));
  const F32 floor = V::round(V::sub(part, V::set1(0.5f - 1.0f / 512.0f)));
  return V::sub(code, V::mul(floor, V::set1(256.0f)));
}

// One pass of refine_codes; whether any lane changed. A lane that changed nothing has nothing to
// change in the next pass either, so that it may go along.
template <typename V, int kGroup>
bool refine_positive(const typename V::F32* x, const typename V::F32* w, const typename V::F32* wx,
                     int most, typename V::F32* codes, typename V::F32* xq, typename V::F32* qq) {
  using F32 = typename V::F32;
  using Mask = typename V::Mask;
  const F32 zero = V::set1(0.0f);
  F32 unchanged = V::set1(1.0f);
  for (int i = 0; i < kGroup; ++i) {
    const F32 code = codes[i];
    F32 trial_xq = V::sub(*xq, V::mul(wx[i], code));
    F32 trial_qq = V::sub(*qq, V::mul(V::mul(w[i], code), code));
    const Mask has_scale = V::both(V::gt(trial_xq, zero), V::gt(trial_qq, zero));
    const F32 q = nearest_up_to<V>(V::div(V::mul(x[i], trial_qq), trial_xq), most);
    trial_xq = V::add(trial_xq, V::mul(wx[i], q));
    trial_qq = V::add(trial_qq, V::mul(V::mul(w[i], q), q));
    const Mask fits =
        V::gt(V::mul(V::mul(trial_xq, trial_xq), *qq), V::mul(V::mul(*xq, *xq), trial_qq));
    const Mask differs = V::gt(V::abs(V::sub(q, code)), zero);
    const Mask better = V::both(V::both(has_scale, fits), V::both(differs, V::gt(trial_qq, zero)));
    codes[i] = V::blend(code, in_byte<V>(q), better);
    *xq = V::blend(*xq, trial_xq, better);
    *qq = V::blend(*qq, trial_qq, better);
    unchanged = V::blend(unchanged, zero, better);
  }
  return !V::holds(V::gt(unchanged, zero));
}

template <typename V, int kGroup>
typename V::F32 positive_scale_lanes(const typename V::F32* x, const typename V::F32* w,
                                     const typename V::F32* wx, int most) {
  using F32 = typename V::F32;
  const F32 zero = V::set1(0.0f);
  const F32 one = V::set1(1.0f);
  F32 max = zero;
  for (int i = 0; i < kGroup; ++i) max = V::blend(x[i], max, V::gt(max, x[i]));
  F32 chosen = V::div(V::set1(static_cast<float>(most)), max);
  F32 best = zero;
  for (int trial = -5; trial <= 4; ++trial) {
    // The first is without a step: its codes are not cut.
    const bool first = trial == -5;
    if (trial == 0) continue;
    const float steps = 0.1f * static_cast<float>(trial) + static_cast<float>(most);
    const F32 iscale = first ? chosen : V::div(V::set1(steps), max);
    const F32 scale = V::div(one, iscale);
    F32 sum = zero;
    for (int i = 0; i < kGroup; ++i) {
      const F32 v = V::mul(iscale, x[i]);
      const F32 q = first ? in_byte<V>(nearest_up_to<V>(v, 0x00400000)) : nearest_up_to<V>(v, most);
      const F32 error = V::sub(x[i], V::mul(scale, q));
      sum = V::add(sum, V::mul(V::mul(w[i], error), error));
    }
    if (first) {
      best = sum;
      continue;
    }
    const typename V::Mask better = V::gt(best, sum);
    best = V::blend(best, sum, better);
    chosen = V::blend(chosen, iscale, better);
  }
  F32 codes[kGroup];
  F32 xq = zero;
  F32 qq = zero;
  for (int i = 0; i < kGroup; ++i) {
    const F32 q = nearest_up_to<V>(V::mul(chosen, x[i]), most);
    codes[i] = in_byte<V>(q);
    xq = V::add(xq, V::mul(wx[i], q));
    qq = V::add(qq, V::mul(V::mul(w[i], q), q));
  }
  for (int pass = 0; pass < 5; ++pass) {
    if (!refine_positive<V, kGroup>(x, w, wx, most, codes, &xq, &qq)) break;
  }
  const F32 scale = V::blend(zero, V::div(xq, qq), V::gt(qq, zero));
  return V::blend(scale, zero, V::gt(V::set1(kGroupEpsilon), max));
}

}  // namespace
}  // namespace nibble
