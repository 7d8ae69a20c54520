#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "formats/q6_k.h"

// Q6_K's search with a group of 16 values in every lane: V::kWidth groups side by side, each doing
// what the scalar reference (formats/q6_k.cc) does, in its order.
namespace nibble {
namespace {

constexpr int kQ6Group = 16;
constexpr int kQ6Groups = kSuperBlock / kQ6Group;

// Value i of lane g.
template <typename V>
struct Groups {
  typename V::F32 x[kQ6Group];
};

template <typename V>
Groups<V> load_groups(const float* x) {
  float transposed[kQ6Group * V::kWidth];
  for (int g = 0; g < V::kWidth; ++g) {
    for (int i = 0; i < kQ6Group; ++i) transposed[i * V::kWidth + g] = x[g * kQ6Group + i];
  }
  Groups<V> groups;
  for (int i = 0; i < kQ6Group; ++i) groups.x[i] = V::load(transposed + i * V::kWidth);
  return groups;
}

template <typename V>
struct LaneFit {
  typename V::F32 xq;
  typename V::F32 qq;
};

template <typename V>
LaneFit<V> fit_lanes(const Groups<V>& groups, typename V::F32 iscale) {
  LaneFit<V> fit = {V::set1(0.0f), V::set1(0.0f)};
  for (int i = 0; i < kQ6Group; ++i) {
    const typename V::F32 x = groups.x[i];
    const typename V::F32 q = V::nearest(V::mul(iscale, x), -32, 31);
    const typename V::F32 w = V::mul(x, x);
    fit.xq = V::add(fit.xq, V::mul(V::mul(w, x), q));
    fit.qq = V::add(fit.qq, V::mul(V::mul(w, q), q));
  }
  return fit;
}

// Scales of V::kWidth groups, and for each the trial scale that its codes come from (0 for a group
// of zeros).
template <typename V>
void search_lanes(const Groups<V>& groups, float* scales, float* chosen_iscales) {
  using F32 = typename V::F32;
  const F32 zero = V::set1(0.0f);
  F32 amax = zero;
  F32 extreme = zero;
  for (int i = 0; i < kQ6Group; ++i) {
    const F32 magnitude = V::abs(groups.x[i]);
    const typename V::Mask larger = V::gt(magnitude, amax);
    amax = V::blend(amax, magnitude, larger);
    extreme = V::blend(extreme, groups.x[i], larger);
  }
  F32 chosen = V::div(V::set1(-32.0f), extreme);
  const LaneFit<V> first = fit_lanes<V>(groups, chosen);
  // qq is a sum of squares: where it is not above 0 it is 0 (or NaN, which divides to NaN as in the
  // reference).
  F32 scale = V::blend(V::div(first.xq, first.qq), zero, V::equal(first.qq, zero));
  F32 best = V::mul(scale, first.xq);
  for (int trial = -9; trial <= 9; ++trial) {
    if (trial == 0) continue;
    const F32 iscale = V::div(V::set1(-(32.0f + 0.1f * static_cast<float>(trial))), extreme);
    const LaneFit<V> fit = fit_lanes<V>(groups, iscale);
    const typename V::Mask better =
        V::both(V::gt(fit.qq, zero), V::gt(V::mul(fit.xq, fit.xq), V::mul(best, fit.qq)));
    const F32 own = V::div(fit.xq, fit.qq);
    chosen = V::blend(chosen, iscale, better);
    scale = V::blend(scale, own, better);
    best = V::blend(best, V::mul(own, fit.xq), better);
  }
  const typename V::Mask zeros = V::gt(V::set1(kGroupEpsilon), amax);
  V::store(scales, V::blend(scale, zero, zeros));
  V::store(chosen_iscales, V::blend(chosen, zero, zeros));
}

// codes = round(x * iscale) or round(x / d), -32 .. 31, plus 32.
template <typename V>
void store_group(const float* x, float by, bool divide, uint8_t* codes) {
  for (int i = 0; i < kQ6Group; i += V::kWidth) {
    const typename V::F32 v = V::load(x + i);
    const typename V::F32 q = divide ? V::div(v, V::set1(by)) : V::mul(V::set1(by), v);
    V::store_codes(codes + i, V::add(V::nearest(q, -32, 31), V::set1(32.0f)), 63);
  }
}

template <typename V>
void quantize_q6_k_block(const float* x, BlockQ6_K* block) {
  float scales[kQ6Groups];
  float chosen[kQ6Groups];
  for (int g = 0; g < kQ6Groups; g += V::kWidth) {
    search_lanes<V>(load_groups<V>(x + g * kQ6Group), scales + g, chosen + g);
  }
  float largest = 0.0f;
  for (const float scale : scales) {
    if (std::fabs(scale) > std::fabs(largest)) largest = scale;
  }
  if (std::fabs(largest) < kGroupEpsilon) {
    std::memset(block, 0, sizeof(*block));
    return;
  }
  uint8_t codes[kSuperBlock];
  const float iscale = -128.0f / largest;
  block->d = f32_to_f16(1.0f / iscale);
  for (int g = 0; g < kQ6Groups; ++g) {
    const int scale = nearest_int(iscale * scales[g]);
    block->scales[g] = static_cast<int8_t>(scale < 127 ? scale : 127);
    const float d = f16_to_f32(block->d) * static_cast<float>(block->scales[g]);
    const bool stored = d != 0.0f;
    // A group of zeros keeps codes of 0, as the reference has it.
    if (!stored && chosen[g] == 0.0f) {
      std::memset(codes + g * kQ6Group, 0, kQ6Group);
      continue;
    }
    store_group<V>(x + g * kQ6Group, stored ? d : chosen[g], stored, codes + g * kQ6Group);
  }
  pack_q6_k(codes, block);
}

template <typename V>
void quantize_q6_k(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ6_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) quantize_q6_k_block<V>(x + i, block);
}

}  // namespace
}  // namespace nibble
