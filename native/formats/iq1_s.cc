#include "formats/iq1_s.h"

#include "formats/coded_rows.h"
#include "formats/iq1_types.h"

namespace nibble {
namespace {

constexpr int kGroup = SearchIQ1_S::kGroup;
constexpr int kGroups = kSuperBlock / kGroup;

// Sums over the sorted values before a place.
struct Sums {
  float x[kGroup + 1];  // weight * x
  float w[kGroup + 1];  // weight
};

void sum_up(const float* x, const float* weights, const uint8_t* places, Sums* sums) {
  sums->x[0] = sums->w[0] = 0.0f;
  for (int j = 0; j < kGroup; ++j) {
    const int i = places[j];
    sums->x[j + 1] = sums->x[j] + weights[i] * x[i];
    sums->w[j + 1] = sums->w[j] + weights[i];
  }
}

CodeFit fit_of_cut(const Sums& sums, int low, int high, const float* steps) {
  const float* x = sums.x;
  const float* w = sums.w;
  return {
      (x[low] - x[0]) * steps[0] + (x[high] - x[low]) * steps[1] + (x[kGroup] - x[high]) * steps[2],
      (w[low] - w[0]) * steps[0] * steps[0] + (w[high] - w[low]) * steps[1] * steps[1] +
          (w[kGroup] - w[high]) * steps[2] * steps[2]};
}

// The best of all cuts, shifted up or down; false where nothing weighs.
bool find_cut(const Sums& sums, Iq1Cut<4>* cut) {
  bool found = false;
  float best = -FLT_MAX;
  for (int low = 0; low <= kGroup; ++low) {
    for (int high = low; high <= kGroup; ++high) {
      for (const bool down : {false, true}) {
        const CodeFit fit = fit_of_cut(sums, low, high, kIq1Steps[down]);
        if (!(fit.qq > 0.0f && fit.xq * fit.xq > best * fit.qq)) continue;
        const float scale = fit.xq / fit.qq;
        *cut = {low, high, scale, {down, down, down, down}};
        best = scale * fit.xq;
        found = true;
      }
    }
  }
  return found;
}

Iq1Group<4> search_group(const float* x, const float* weights) {
  if (largest_magnitude<kGroup>(x) < SearchIQ1_S::kEpsilon) return {};
  uint8_t places[kGroup];
  sort_places<kGroup>(x, places);
  Sums sums;
  sum_up(x, weights, places, &sums);
  Iq1Cut<4> cut;
  if (!find_cut(sums, &cut)) return {};
  return place_iq1<4>(iq1_codebook(), x, weights, places, cut);
}

void quantize_block(const float* x, const float* importance, BlockIQ1_S* block) {
  *block = {};
  const float variance = kVariancesIQ1 * sum_of_squares(x, kSuperBlock) / kSuperBlock;
  float weights[kSuperBlock];
  importance_weights(x, importance, variance, kSuperBlock, weights);
  Iq1Group<4> groups[kGroups];
  for (int g = 0; g < kGroups; ++g) groups[g] = search_group(x + kGroup * g, weights + kGroup * g);
  pack_found(x, weights, groups, block);
}

}  // namespace

void quantize_weighted_IQ1_S(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockIQ1_S*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    quantize_block(x + i, importance + i, block);
  }
}

void dequantize_row_IQ1_S(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ1_S& block, int8_t* codes, float* scales) {
    unpack_iq1_s(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<kGroup, BlockIQ1_S>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ1_S(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ1_S>(blocks, n, [](const BlockIQ1_S& block) { return block.d; });
}

}  // namespace nibble
