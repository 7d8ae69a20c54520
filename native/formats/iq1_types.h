#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/iq1_m.h"
#include "formats/iq1_s.h"
#include "formats/iq1_search.h"

// IQ1_S and IQ1_M: what differs in their searches, and how what is found goes into a block, which
// starts as zeros.
namespace nibble {

struct SearchIQ1_S {
  using Block = BlockIQ1_S;
  static constexpr int kEights = 4;
  static constexpr int kGroup = 32;
  static constexpr float kEpsilon = 1e-12f;  // groups of smaller values are zeros
};

struct SearchIQ1_M {
  using Block = BlockIQ1_M;
  static constexpr int kEights = 2;
  static constexpr int kGroup = 16;
  static constexpr float kEpsilon = 1e-7f;
};

// Variances behind the weights.
constexpr float kVariancesIQ1 = 2.0f;

template <int kGroups, int kEights>
static inline float largest_scale(const Iq1Group<kEights>* groups) {
  float largest = 0.0f;
  for (int g = 0; g < kGroups; ++g) largest = largest > groups[g].scale ? largest : groups[g].scale;
  return largest;
}

static inline void pack_found(const float*, const float*, const Iq1Group<4>* groups,
                              BlockIQ1_S* block) {
  constexpr int kGroups = kSuperBlock / SearchIQ1_S::kGroup;
  for (int g = 0; g < kGroups; ++g) {
    for (int k = 0; k < 4; ++k) {
      block->qs[4 * g + k] = static_cast<uint8_t>(groups[g].points[k]);
      block->qh[g] = static_cast<uint16_t>(block->qh[g] | groups[g].points[k] >> 8 << 3 * k);
    }
  }
  const float largest = largest_scale<kGroups>(groups);
  if (largest == 0.0f) return;
  const float d = largest / 15.0f;
  block->d = f32_to_f16(d * 1.125f);
  for (int g = 0; g < kGroups; ++g) {
    const int code = iq1_scale_code(d, groups[g].scale) | (groups[g].down[0] ? 8 : 0);
    block->qh[g] = static_cast<uint16_t>(block->qh[g] | code << 12);
  }
}

static inline void pack_iq1_m_group(const Iq1Group<2>& group, int g, BlockIQ1_M* block) {
  int high = 0;
  for (int k = 0; k < 2; ++k) {
    block->qs[2 * g + k] = static_cast<uint8_t>(group.points[k]);
    high |= (group.points[k] >> 8 | (group.down[k] ? 8 : 0)) << 4 * k;
  }
  block->qh[g] = static_cast<uint8_t>(high);
}

static inline void pack_found(const float* x, const float* weights, const Iq1Group<2>* groups,
                              BlockIQ1_M* block) {
  constexpr int kGroup = SearchIQ1_M::kGroup;
  constexpr int kGroups = kSuperBlock / kGroup;
  for (int g = 0; g < kGroups; ++g) pack_iq1_m_group(groups[g], g, block);
  const float largest = largest_scale<kGroups>(groups);
  if (largest == 0.0f) return;
  float d = largest / 15.0f;
  // d once more, for the scales as they are stored.
  CodeFit fit = {0.0f, 0.0f};
  for (int g = 0; g < kGroups; ++g) {
    const int code = iq1_scale_code(d, groups[g].scale);
    block->scales[g / 4] = static_cast<uint16_t>(block->scales[g / 4] | code << 3 * (g % 4));
    for (int k = 0; k < 2; ++k) {
      const int at = kGroup * g + 8 * k;
      add_iq1_point(iq1_codebook().levels(groups[g].points[k]), x + at, weights + at,
                    kIq1Steps[groups[g].down[k]], static_cast<float>(2 * code + 1), &fit);
    }
  }
  if (fit.qq > 0.0f) d = fit.xq / fit.qq;
  const int half = f32_to_f16(d * 1.1125f);
  for (int i = 0; i < 4; ++i) {
    block->scales[i] = static_cast<uint16_t>(block->scales[i] | (half >> 4 * i & 15) << 12);
  }
}

}  // namespace nibble
