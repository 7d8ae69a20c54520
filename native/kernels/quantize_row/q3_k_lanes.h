#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/q3_k.h"
#include "kernels/quantize_row/symmetric_lanes.h"
#include "kernels/simd/pair.h"

// Q3_K with a group of 16 values in every lane, each doing what the scalar reference
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
  const F32 extreme = extreme_lanes<V, kQ3Group>(lanes.x);
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
// which `found(g, codes)` gives.
template <typename V, typename Found>
void finish_q3_k(const float* x, float d, const uint8_t* scale_codes, const Found& found,
                 BlockQ3_K* block) {
  uint8_t codes[kSuperBlock];
  block->d = f32_to_f16(d);
  pack_q3_k_scales(scale_codes, block->scales);
  for (int g = 0; g < kQ3Groups; ++g) {
    const float scale = q3_k_scale(block->d, scale_codes[g]);
    uint8_t* own = codes + kQ3Group * g;
    if (scale == 0.0f) {
      found(g, own);
    } else {
      round_symmetric<V, kQ3Group>(x + kQ3Group * g, scale, true, kHalfQ3_K, own);
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
      const auto found = [&](int g, uint8_t* own) {
        const int lane = (first + g) % Wide::kWidth;
        const float* group = codes + kQ3Group * (first + g - lane) + lane;
        for (int i = 0; i < kQ3Group; ++i) own[i] = static_cast<uint8_t>(group[i * Wide::kWidth]);
      };
      uint8_t scale_codes[kQ3Groups];
      const float d = codes_of_scales_q3_k(scales + first, scale_codes);
      finish_q3_k<V>(from + kSuperBlock * b, d, scale_codes, found, block);
    }
  });
}

// With importance the scale is searched as in other types, and so is the scale of the scales.
template <typename V>
void quantize_weighted_q3_k(const float* x, const float* importance, void* blocks, int64_t n) {
  constexpr int kCount = kGroupsInSet<V, kQ3Group>;
  auto* block = static_cast<BlockQ3_K*>(blocks);
  const auto quantize_set = [&](const float* from, const float* weigher, int count) {
    float variances[kBlocksInSet<V, kQ3Group>];
    variances_of_blocks<kBlocksInSet<V, kQ3Group>>(from, kImportantShareQ3_K, variances);
    float scales[kCount];
    float chosen[kCount];
    float weights[kCount];
    for (int g = 0; g < kCount; g += V::kWidth) {
      SymmetricLanes<V, kQ3Group> lanes;
      load_lanes<V, kQ3Group>(from + kQ3Group * g, lanes.x);
      weigh_important_lanes<V, kQ3Group>(weigher + kQ3Group * g, variances, g, lanes.x, lanes.w);
      typename V::F32 sum = V::set1(0.0f);
      for (const typename V::F32 w : lanes.w) sum = V::add(sum, w);
      V::store(weights + g, sum);
      search_symmetric_lanes<V, kQ3Group>(kHalfQ3_K, &lanes, scales + g, chosen + g);
    }
    for (int b = 0; b < count; ++b, ++block) {
      const int first = kQ3Groups * b;
      const float* own = from + kSuperBlock * b;
      uint8_t scale_codes[kQ3Groups];
      const float d =
          search_symmetric<kQ3Groups>(scales + first, weights + first, kHalfScaleQ3_K, scale_codes);
      const auto found = [&](int g, uint8_t* codes) {
        round_symmetric<V, kQ3Group>(own + kQ3Group * g, chosen[first + g], false, kHalfQ3_K,
                                     codes);
      };
      finish_q3_k<V>(own, d, scale_codes, found, block);
    }
  };
  for_block_sets<V, kQ3Group>(x, importance, n, quantize_set);
}

}  // namespace
}  // namespace nibble
