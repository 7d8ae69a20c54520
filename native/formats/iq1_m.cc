#include "formats/iq1_m.h"

#include "formats/coded_rows.h"
#include "formats/iq1_types.h"

namespace nibble {
namespace {

constexpr int kGroup = SearchIQ1_M::kGroup;
constexpr int kGroups = kSuperBlock / kGroup;

// Sums over the sorted values before a place, of each half of a group: a half has a shift of its
// own.
struct Sums {
  float x[2][kGroup + 1];  // weight * x
  float w[2][kGroup + 1];  // weight
};

void sum_up(const float* x, const float* weights, const uint8_t* places, Sums* sums) {
  *sums = {};
  for (int j = 0; j < kGroup; ++j) {
    const int i = places[j];
    for (int half = 0; half < 2; ++half) {
      const bool here = i / (kGroup / 2) == half;
      sums->x[half][j + 1] = here ? sums->x[half][j] + weights[i] * x[i] : sums->x[half][j];
      sums->w[half][j + 1] = here ? sums->w[half][j] + weights[i] : sums->w[half][j];
    }
  }
}

// Levels are 1 apart, so that of all values at the highest level those below `high` lose 1, and
// those below `low` 1 more; their squares likewise lose the differences of the levels' squares.
CodeFit fit_of_half(const float* x, const float* w, int low, int high, const float* steps) {
  const float to_lowest = steps[0] * steps[0] - steps[1] * steps[1];
  const float to_middle = steps[1] * steps[1] - steps[2] * steps[2];
  return {x[kGroup] * steps[2] - (x[low] + x[high]),
          w[kGroup] * steps[2] * steps[2] + w[low] * to_lowest + w[high] * to_middle};
}

// The best of all cuts and shifts; false where nothing weighs.
bool find_cut(const Sums& sums, Iq1Cut<2>* cut) {
  bool found = false;
  float best = -FLT_MAX;
  for (int low = 0; low <= kGroup; ++low) {
    for (int high = low; high <= kGroup; ++high) {
      CodeFit halves[2][2];  // by half and shift
      for (int half = 0; half < 2; ++half) {
        for (const bool down : {false, true}) {
          halves[half][down] = fit_of_half(sums.x[half], sums.w[half], low, high, kIq1Steps[down]);
        }
      }
      for (int shifts = 0; shifts < 4; ++shifts) {
        const CodeFit& first = halves[0][shifts >> 1];
        const CodeFit& second = halves[1][shifts & 1];
        const CodeFit fit = {first.xq + second.xq, first.qq + second.qq};
        if (!(fit.qq > 0.0f && fit.xq * fit.xq > best * fit.qq)) continue;
        const float scale = fit.xq / fit.qq;
        *cut = {low, high, scale, {shifts >> 1 != 0, (shifts & 1) != 0}};
        best = scale * fit.xq;
        found = true;
      }
    }
  }
  return found;
}

Iq1Group<2> search_group(const float* x, const float* weights) {
  if (largest_magnitude<kGroup>(x) < SearchIQ1_M::kEpsilon) return {};
  uint8_t places[kGroup];
  sort_places<kGroup>(x, places);
  Sums sums;
  sum_up(x, weights, places, &sums);
  Iq1Cut<2> cut;
  if (!find_cut(sums, &cut)) return {};
  return place_iq1<2>(iq1_codebook(), x, weights, places, cut);
}

// `importance` may be null: then x^2 weighs.
void quantize_block(const float* x, const float* importance, BlockIQ1_M* block) {
  *block = {};
  float weights[kSuperBlock];
  if (importance == nullptr) {
    square_weights(x, kSuperBlock, weights);
  } else {
    const float variance = kVariancesIQ1 * sum_of_squares(x, kSuperBlock) / kSuperBlock;
    importance_weights(x, importance, variance, kSuperBlock, weights);
  }
  Iq1Group<2> groups[kGroups];
  for (int g = 0; g < kGroups; ++g) groups[g] = search_group(x + kGroup * g, weights + kGroup * g);
  pack_found(x, weights, groups, block);
}

}  // namespace

void quantize_row_IQ1_M(const float* x, void* blocks, int64_t n) {
  quantize_weighted_IQ1_M(x, nullptr, blocks, n);
}

void quantize_weighted_IQ1_M(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockIQ1_M*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    quantize_block(x + i, importance == nullptr ? nullptr : importance + i, block);
  }
}

void dequantize_row_IQ1_M(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ1_M& block, int8_t* codes, float* scales) {
    unpack_iq1_m(block, f16_to_f32(iq1_m_d(block)), codes, scales);
  };
  dequantize_coded_row<kGroup, BlockIQ1_M>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ1_M(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ1_M>(blocks, n,
                                     [](const BlockIQ1_M& block) { return iq1_m_d(block); });
}

}  // namespace nibble
