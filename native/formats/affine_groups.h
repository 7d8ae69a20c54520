#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/scale_search.h"
#include "formats/super_block.h"

// What Q2_K, Q4_K and Q5_K share: a super-block of groups of kGroup values, each value
// scale * code - min, with the scales and the mins as small codes themselves.
namespace nibble {

template <int kGroup>
constexpr int kGroupCount = kSuperBlock / kGroup;

template <int kGroup>
struct AffineGroups {
  float scales[kGroupCount<kGroup>];
  float mins[kGroupCount<kGroup>];     // subtracted: at least 0
  float weights[kGroupCount<kGroup>];  // sums
  uint8_t codes[kSuperBlock];
};

// Searches group by group; `weigh(at, weights)` gives the weights of the group at value `at`.
template <int kGroup, typename Weigh>
static void search_affine_groups(const float* x, int most, const AffineTrials& trials,
                                 const Weigh& weigh, AffineGroups<kGroup>* groups) {
  for (int g = 0; g < kGroupCount<kGroup>; ++g) {
    const int at = kGroup * g;
    float weights[kGroup];
    weigh(at, weights);
    groups->weights[g] = 0.0f;
    for (const float w : weights) groups->weights[g] += w;
    const AffineFit fit = search_affine<kGroup>(x + at, weights, most, trials, groups->codes + at);
    groups->scales[g] = fit.scale;
    groups->mins[g] = -fit.min;
  }
}

// The same under importance; the variance is `share` times the mean square of the super-block.
template <int kGroup>
static void search_important_groups(const float* x, const float* importance, float share, int most,
                                    AffineGroups<kGroup>* groups) {
  const float variance = share * sum_of_squares(x, kSuperBlock) / static_cast<float>(kSuperBlock);
  const auto weigh = [=](int at, float* weights) {
    importance_weights(x + at, importance + at, variance, kGroup, weights);
  };
  search_affine_groups(x, most, kImportanceTrials, weigh, groups);
}

// Codes of group scales (or mins), the largest of which becomes `most`. Returns their scale.
template <int kCount>
static float codes_of_scales(const float* scales, int most, uint8_t* codes) {
  float max = 0.0f;
  for (int g = 0; g < kCount; ++g) {
    if (scales[g] > max) max = scales[g];
  }
  const float inverse = max > 0.0f ? static_cast<float>(most) / max : 0.0f;
  for (int g = 0; g < kCount; ++g)
    codes[g] = static_cast<uint8_t>(nearest_int(inverse * scales[g]));
  return max / static_cast<float>(most);
}

// The codes again, for scales and mins as they are stored. A group whose scale is 0 keeps its own.
template <int kGroup>
static void round_to_stored(const float* x, uint16_t d, uint16_t dmin, const uint8_t* scales,
                            const uint8_t* mins, int most, uint8_t* codes) {
  for (int g = 0; g < kGroupCount<kGroup>; ++g) {
    const float scale = f16_to_f32(d) * static_cast<float>(scales[g]);
    if (scale == 0.0f) continue;
    const float min = f16_to_f32(dmin) * static_cast<float>(mins[g]);
    for (int i = kGroup * g; i < kGroup * (g + 1); ++i)
      codes[i] = static_cast<uint8_t>(clamp_int(nearest_int((x[i] + min) / scale), 0, most));
  }
}

template <int kGroup>
static void dequantize_groups(uint16_t d, uint16_t dmin, const uint8_t* scales, const uint8_t* mins,
                              const uint8_t* codes, float* x) {
  for (int g = 0; g < kGroupCount<kGroup>; ++g) {
    const float scale = f16_to_f32(d) * static_cast<float>(scales[g]);
    const float min = f16_to_f32(dmin) * static_cast<float>(mins[g]);
    for (int i = kGroup * g; i < kGroup * (g + 1); ++i)
      x[i] = scale * static_cast<float>(codes[i]) - min;
  }
}

}  // namespace nibble
