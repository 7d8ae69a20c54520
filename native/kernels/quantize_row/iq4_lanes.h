#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/iq4_nl.h"
#include "formats/iq4_search.h"
#include "formats/iq4_xs.h"
#include "kernels/quantize_row/group_lanes.h"

// IQ4_NL and IQ4_XS with a group of 32 values in every lane, each doing what the scalar reference
// (formats/iq4_search.h) does, in its order.
namespace nibble {
namespace {

// 16 numbers that go with the codes, and the same for a look-up by cells of 8: none has more than
// one middle in it, and those without one have the same number on both sides.
struct Iq4Numbers {
  float of_code[16];
  float middle[32];  // of cell -16 .. 15 at its lowest 5 bits
  float below[32];
  float above[32];
};

template <typename Number>
constexpr Iq4Numbers iq4_numbers(const Number& of_code) {
  Iq4Numbers numbers = {};
  for (int i = 0; i < 16; ++i) numbers.of_code[i] = static_cast<float>(of_code(i));
  for (int cell = -16; cell < 16; ++cell) {
    const float first = 8.0f * static_cast<float>(cell) - 4.0f;
    int code = 0;
    while (code < 15 && iq4_middle(code) < first) ++code;
    const int upper = code < 15 && iq4_middle(code) < first + 8.0f ? code + 1 : code;
    numbers.middle[cell & 31] = iq4_middle(code < 15 ? code : 14);
    numbers.below[cell & 31] = numbers.of_code[code];
    numbers.above[cell & 31] = numbers.of_code[upper];
  }
  return numbers;
}

constexpr Iq4Numbers kIq4LevelNumbers = iq4_numbers([](int code) { return kIq4Levels[code]; });
constexpr Iq4Numbers kIq4CodeNumbers = iq4_numbers([](int code) { return code; });

// The number of nearest_iq4_code(v). A look-up, where there is one, is a third of the comparisons'
// work: IQ4_NL takes 0.6 of the time.
template <typename V>
typename V::F32 nearest_iq4(typename V::F32 v, const Iq4Numbers& numbers) {
  using F32 = typename V::F32;
  if constexpr (V::kLooksUp32) {
    // NaN becomes the largest. 1.5 * 2^26 leaves v / 8 in the mantissa.
    const F32 cut = V::max(V::min(v, V::set1(120.0f)), V::set1(-124.0f));
    const F32 cell = V::add(cut, V::set1(100663296.0f));
    const F32 middle = V::lookup32(numbers.middle, cell);
    return V::blend(V::lookup32(numbers.above, cell), V::lookup32(numbers.below, cell),
                    V::gt(middle, cut));
  } else {
    F32 found = V::set1(numbers.of_code[15]);
    for (int i = 14; i >= 0; --i)
      found = V::blend(found, V::set1(numbers.of_code[i]), V::gt(V::set1(iq4_middle(i)), v));
    return found;
  }
}

// The trials -7 .. 7 move a value by a factor of 134 / 120 in all, and a middle is at least 1.2
// times the one before: a value passes at most one of them. Its level is `above` that or below it,
// and products with both are taken before the trials.
template <typename V>
struct Iq4Choices {
  using F32 = typename V::F32;
  F32 x[kBlock32];
  F32 middle[kBlock32];
  F32 xq_below[kBlock32];  // w q x
  F32 xq_above[kBlock32];
  F32 qq_below[kBlock32];  // w q q
  F32 qq_above[kBlock32];
};

template <typename V>
struct Iq4Fit {
  typename V::F32 xq;
  typename V::F32 qq;
};

template <typename V>
typename V::F32 iq4_trial(int trial, typename V::F32 extreme) {
  return V::div(V::set1(static_cast<float>(trial) + static_cast<float>(kIq4Levels[0])), extreme);
}

template <typename V>
void prepare_iq4(const typename V::F32* x, const typename V::F32* w, typename V::F32 extreme,
                 Iq4Choices<V>* choices) {
  using F32 = typename V::F32;
  const F32 widest = iq4_trial<V>(-kIq4LastTrial, extreme);
  const F32 narrowest = iq4_trial<V>(kIq4LastTrial, extreme);
  for (int i = 0; i < kBlock32; ++i) {
    const F32 one = nearest_iq4<V>(V::mul(widest, x[i]), kIq4LevelNumbers);
    const F32 other = nearest_iq4<V>(V::mul(narrowest, x[i]), kIq4LevelNumbers);
    const F32 below = V::min(one, other);
    const F32 above = V::max(one, other);
    choices->x[i] = x[i];
    choices->middle[i] = V::mul(V::set1(0.5f), V::add(below, above));
    choices->xq_below[i] = V::mul(V::mul(w[i], below), x[i]);
    choices->xq_above[i] = V::mul(V::mul(w[i], above), x[i]);
    choices->qq_below[i] = V::mul(V::mul(w[i], below), below);
    choices->qq_above[i] = V::mul(V::mul(w[i], above), above);
  }
}

// iq4_fit where the scale may be any.
template <typename V>
Iq4Fit<V> fit_iq4(const typename V::F32* x, const typename V::F32* w, typename V::F32 iscale) {
  Iq4Fit<V> fit = {V::set1(0.0f), V::set1(0.0f)};
  for (int i = 0; i < kBlock32; ++i) {
    const typename V::F32 q = nearest_iq4<V>(V::mul(iscale, x[i]), kIq4LevelNumbers);
    const typename V::F32 wq = V::mul(w[i], q);
    fit.xq = V::add(fit.xq, V::mul(wq, x[i]));
    fit.qq = V::add(fit.qq, V::mul(wq, q));
  }
  return fit;
}

// iq4_fit of kCount trials from `first`: their sums wait for the adder side by side.
template <typename V, int kCount>
void fit_iq4_trials(const Iq4Choices<V>& choices, int first, typename V::F32 extreme,
                    Iq4Fit<V>* fits) {
  using F32 = typename V::F32;
  F32 iscales[kCount];
  F32 xq[kCount];
  F32 qq[kCount];
  for (int t = 0; t < kCount; ++t) {
    iscales[t] = iq4_trial<V>(first + t, extreme);
    xq[t] = qq[t] = V::set1(0.0f);
  }
  for (int i = 0; i < kBlock32; ++i) {
    for (int t = 0; t < kCount; ++t) {
      const typename V::Mask below = V::gt(choices.middle[i], V::mul(iscales[t], choices.x[i]));
      xq[t] = V::add(xq[t], V::blend(choices.xq_above[i], choices.xq_below[i], below));
      qq[t] = V::add(qq[t], V::blend(choices.qq_above[i], choices.qq_below[i], below));
    }
  }
  for (int t = 0; t < kCount; ++t) fits[t] = {xq[t], qq[t]};
}

// search_iq4_scale.
template <typename V>
typename V::F32 search_iq4_lanes(const typename V::F32* x, const typename V::F32* w) {
  using F32 = typename V::F32;
  constexpr int kAtOnce = 5;
  static_assert((2 * kIq4LastTrial + 1) % kAtOnce == 0, "no trial is left over");
  const F32 zero = V::set1(0.0f);
  const F32 extreme = extreme_lanes<V, kBlock32>(x);
  const F32 first_scale = V::div(V::sub(zero, extreme), V::set1(static_cast<float>(kIq4Levels[0])));
  const Iq4Fit<V> first = fit_iq4<V>(x, w, V::div(V::set1(1.0f), first_scale));
  F32 scale = V::blend(zero, V::div(first.xq, first.qq), V::gt(first.qq, zero));
  F32 best = V::mul(scale, first.xq);
  Iq4Choices<V> choices;
  prepare_iq4<V>(x, w, extreme, &choices);
  for (int trial = -kIq4LastTrial; trial <= kIq4LastTrial; trial += kAtOnce) {
    Iq4Fit<V> fits[kAtOnce];
    fit_iq4_trials<V, kAtOnce>(choices, trial, extreme, fits);
    for (const Iq4Fit<V>& fit : fits) {
      const typename V::Mask better =
          V::both(V::gt(fit.qq, zero), V::gt(V::mul(fit.xq, fit.xq), V::mul(best, fit.qq)));
      const F32 own = V::div(fit.xq, fit.qq);
      scale = V::blend(scale, own, better);
      best = V::blend(best, V::mul(own, fit.xq), better);
    }
  }
  return V::blend(scale, zero, V::gt(V::set1(kGroupEpsilon), V::abs(extreme)));
}

// iq4_codes.
template <typename V>
void round_iq4(const float* x, float iscale, uint8_t codes[kBlock32]) {
  for (int i = 0; i < kBlock32; i += V::kWidth)
    V::store_codes(codes + i,
                   nearest_iq4<V>(V::mul(V::set1(iscale), V::load(x + i)), kIq4CodeNumbers), 15);
}

template <bool kImportant, typename V>
void quantize_iq4_nl_sets(const float* x, const float* importance, void* row, int64_t n) {
  using F32 = typename V::F32;
  auto* block = static_cast<BlockIQ4_NL*>(row);
  const auto quantize_set = [&](const float* from, const float* weigher, int count) {
    F32 values[kBlock32];
    F32 w[kBlock32];
    load_lanes<V, kBlock32>(from, values);
    square_lanes<V, kBlock32>(values, w);
    if constexpr (kImportant) {
      F32 sum = V::set1(0.0f);
      for (const F32 square : w) sum = V::add(sum, square);
      const F32 variance = V::mul(sum, V::set1(iq4_variance(1.0f, kBlock32)));
      weigh_lanes<V, kBlock32>(weigher, variance, values, w);
    }
    float scales[V::kWidth];
    V::store(scales, search_iq4_lanes<V>(values, w));
    for (int b = 0; b < count; ++b, ++block) {
      block->d = f32_to_f16(scales[b]);
      uint8_t codes[kBlock32];
      round_iq4<V>(from + kBlock32 * b, scales[b] != 0.0f ? 1.0f / scales[b] : 0.0f, codes);
      pack_nibbles(codes, block->qs);
    }
  };
  for_block_sets<V, kBlock32, kBlock32>(x, importance, n, quantize_set);
}

template <bool kImportant, typename V>
void quantize_iq4_xs_sets(const float* x, const float* importance, void* row, int64_t n) {
  using F32 = typename V::F32;
  constexpr int kBlocks = kBlocksInSet<V, kBlock32>;
  auto* block = static_cast<BlockIQ4_XS*>(row);
  const auto quantize_set = [&](const float* from, const float* weigher, int count) {
    float variances[kBlocks];
    if constexpr (kImportant) {
      squares_of_blocks<kBlocks>(from, variances);
      for (float& variance : variances) variance = iq4_variance(variance, kSuperBlock);
    }
    float scales[kGroupsInSet<V, kBlock32>];
    for (int g = 0; g < kGroupsInSet<V, kBlock32>; g += V::kWidth) {
      F32 values[kBlock32];
      F32 w[kBlock32];
      load_lanes<V, kBlock32>(from + kBlock32 * g, values);
      if constexpr (kImportant) {
        weigh_important_lanes<V, kBlock32>(weigher + kBlock32 * g, variances, g, values, w);
      } else {
        square_lanes<V, kBlock32>(values, w);
      }
      V::store(scales + g, search_iq4_lanes<V>(values, w));
    }
    for (int b = 0; b < count; ++b, ++block) {
      const float* own = from + kSuperBlock * b;
      finish_iq4_xs(scales + kGroupsIQ4_XS * b, block, [own](int g, float iscale, uint8_t* codes) {
        round_iq4<V>(own + kBlock32 * g, iscale, codes);
      });
    }
  };
  for_block_sets<V, kBlock32>(x, importance, n, quantize_set);
}

template <typename V>
void quantize_iq4_nl(const float* x, void* blocks, int64_t n) {
  quantize_iq4_nl_sets<false, V>(x, nullptr, blocks, n);
}

template <typename V>
void quantize_iq4_xs(const float* x, void* blocks, int64_t n) {
  quantize_iq4_xs_sets<false, V>(x, nullptr, blocks, n);
}

}  // namespace
}  // namespace nibble
