#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/q3_k.h"
#include "kernels/quantize_row/group_lanes.h"
#include "kernels/simd/pair.h"

// Q3_K's search with a group of 16 values in every lane, each doing what the scalar reference
// (formats/q3_k.cc) does, in its order.
namespace nibble {
namespace {

constexpr int kQ3Group = 16;
constexpr int kQ3Groups = kSuperBlock / kQ3Group;

template <typename V>
struct Q3Lanes {
  typename V::F32 x[kQ3Group];
  typename V::F32 codes[kQ3Group];
  typename V::F32 xq;  // sum x^2 x q
  typename V::F32 qq;  // sum x^2 q q
};

template <typename V>
typename V::F32 extreme_lanes(const typename V::F32* x) {
  typename V::F32 magnitude = V::set1(0.0f);
  typename V::F32 extreme = magnitude;
  for (int i = 0; i < kQ3Group; ++i) {
    const typename V::F32 own = V::abs(x[i]);
    const typename V::Mask larger = V::gt(own, magnitude);
    magnitude = V::blend(magnitude, own, larger);
    extreme = V::blend(extreme, x[i], larger);
  }
  return extreme;
}

template <typename V>
void first_codes(typename V::F32 iscale, Q3Lanes<V>* lanes) {
  lanes->xq = lanes->qq = V::set1(0.0f);
  for (int i = 0; i < kQ3Group; ++i) {
    const typename V::F32 x = lanes->x[i];
    const typename V::F32 w = V::mul(x, x);
    const typename V::F32 q = V::nearest(V::mul(iscale, x), -kHalfQ3_K, kHalfQ3_K - 1);
    lanes->codes[i] = q;
    lanes->xq = V::add(lanes->xq, V::mul(V::mul(w, x), q));
    lanes->qq = V::add(lanes->qq, V::mul(V::mul(w, q), q));
  }
}

// One pass of refine_codes. True where a code of any lane changed; a lane that changed none has
// nothing to change in the next pass either, so that it may go along.
template <typename V>
bool refine_lanes(Q3Lanes<V>* lanes) {
  using F32 = typename V::F32;
  using Mask = typename V::Mask;
  const F32 zero = V::set1(0.0f);
  const F32 one = V::set1(1.0f);
  F32 unchanged = one;
  F32 xq = lanes->xq;
  F32 qq = lanes->qq;
  for (int i = 0; i < kQ3Group; ++i) {
    const F32 x = lanes->x[i];
    const F32 code = lanes->codes[i];
    const F32 w = V::mul(x, x);
    F32 trial_xq = V::sub(xq, V::mul(V::mul(w, x), code));
    F32 trial_qq = V::sub(qq, V::mul(V::mul(w, code), code));
    const Mask positive = V::gt(trial_xq, zero);
    const F32 q = V::nearest(V::div(V::mul(x, trial_qq), trial_xq), -kHalfQ3_K, kHalfQ3_K - 1);
    trial_xq = V::add(trial_xq, V::mul(V::mul(w, x), q));
    trial_qq = V::add(trial_qq, V::mul(V::mul(w, q), q));
    const Mask fits =
        V::gt(V::mul(V::mul(trial_xq, trial_xq), qq), V::mul(V::mul(xq, xq), trial_qq));
    const Mask taken = V::both(V::both(positive, fits), V::gt(trial_qq, zero));
    const Mask better = V::both(taken, V::gt(V::abs(V::sub(q, code)), zero));
    lanes->codes[i] = V::blend(code, q, better);
    xq = V::blend(xq, trial_xq, better);
    qq = V::blend(qq, trial_qq, better);
    unchanged = V::blend(unchanged, zero, better);
  }
  lanes->xq = xq;
  lanes->qq = qq;
  return !V::holds(V::equal(unchanged, one));
}

// Scales of V::kWidth groups, and their codes 0 .. 7: code i of group g is at i * V::kWidth + g.
template <typename V>
void search_q3_lanes(const float* x, float* scales, float* codes) {
  using F32 = typename V::F32;
  Q3Lanes<V> lanes;
  load_lanes<V, kQ3Group>(x, lanes.x);
  const F32 zero = V::set1(0.0f);
  const F32 extreme = extreme_lanes<V>(lanes.x);
  const typename V::Mask zeros = V::gt(V::set1(kGroupEpsilon), V::abs(extreme));
  first_codes<V>(V::div(V::set1(static_cast<float>(-kHalfQ3_K)), extreme), &lanes);
  for (int pass = 0; pass < 5; ++pass) {
    if (!refine_lanes<V>(&lanes)) break;
  }
  const F32 scale = V::blend(zero, V::div(lanes.xq, lanes.qq), V::gt(lanes.qq, zero));
  V::store(scales, V::blend(scale, zero, zeros));
  const F32 half = V::set1(static_cast<float>(kHalfQ3_K));
  for (int i = 0; i < kQ3Group; ++i)
    V::store(codes + i * V::kWidth, V::blend(V::add(lanes.codes[i], half), zero, zeros));
}

// The codes again for the scales as they are stored; a group whose scale is 0 has the search's,
// of which `found(g, i)` gives code i of group g.
template <typename V, typename Found>
void finish_q3_k(const float* x, const float* scales, const Found& found, BlockQ3_K* block) {
  uint8_t scale_codes[kQ3Groups];
  uint8_t codes[kSuperBlock];
  block->d = f32_to_f16(codes_of_scales_q3_k(scales, scale_codes));
  pack_q3_k_scales(scale_codes, block->scales);
  const typename V::F32 half = V::set1(static_cast<float>(kHalfQ3_K));
  for (int g = 0; g < kQ3Groups; ++g) {
    const float scale = q3_k_scale(block->d, scale_codes[g]);
    uint8_t* own = codes + kQ3Group * g;
    if (scale == 0.0f) {
      for (int i = 0; i < kQ3Group; ++i) own[i] = static_cast<uint8_t>(found(g, i));
      continue;
    }
    for (int i = 0; i < kQ3Group; i += V::kWidth) {
      const typename V::F32 q = V::div(V::load(x + kQ3Group * g + i), V::set1(scale));
      V::store_codes(own + i, V::add(V::nearest(q, -kHalfQ3_K, kHalfQ3_K - 1), half),
                     2 * kHalfQ3_K - 1);
    }
  }
  pack_pairs_of_bits(codes, block->qs);
  pack_high_bits<2>(codes, block->hmask);
}

// Four registers of groups at once: a code waits for the one before it, through a division.
template <typename V>
void quantize_q3_k(const float* x, void* blocks, int64_t n) {
  using Wide = Pair<Pair<V>>;
  constexpr int kCount = kGroupsInSet<Wide, kQ3Group>;
  auto* block = static_cast<BlockQ3_K*>(blocks);
  for_block_sets<Wide, kQ3Group>(x, nullptr, n, [&](const float* from, const float*, int count) {
    float scales[kCount];
    float codes[kQ3Group * kCount];
    for (int g = 0; g < kCount; g += Wide::kWidth)
      search_q3_lanes<Wide>(from + kQ3Group * g, scales + g, codes + kQ3Group * g);
    for (int b = 0; b < count; ++b, ++block) {
      const int first = kQ3Groups * b;
      const auto found = [&](int g, int i) {
        const int lane = (first + g) % Wide::kWidth;
        return codes[kQ3Group * (first + g - lane) + i * Wide::kWidth + lane];
      };
      finish_q3_k<V>(from + kSuperBlock * b, scales + first, found, block);
    }
  });
}

}  // namespace
}  // namespace nibble
