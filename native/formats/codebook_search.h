#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "formats/codebook.h"
#include "formats/scale_search.h"

// How the types with codebooks (IQ2, IQ3) find points, signs and scales of a super-block: the types
// differ in the constants of a Search, and in how they pack what is found.
namespace nibble {

// Which points are looked up again when a group's scale is found.
enum class Again {
  kOffLattice,       // those that were not on the codebook at once
  kAllIfOffLattice,  // all, if any was not on the codebook at once
  kAll,
};

// What is found of a super-block. Groups of zeros have point 0, no signs and scale 0.
template <typename Search>
struct CodebookBlock {
  static constexpr int kGroups = kSuperBlock / Search::kGroup;
  float d;
  uint8_t scales[kGroups];
  bool is_zero[kGroups];
  uint16_t points[kSuperBlock / Search::kDims];
  uint8_t signs[kSuperBlock / 8];
};

// A group without its signs.
template <int kCount>
struct Magnitudes {
  float x[kCount];
  float weights[kCount];
  float roots[kCount];  // of the weights; by these points are compared
  float max;
};

// Signs of 8 values, which become positive. Where only an even number of minuses can be stored, the
// value that counts least gets the wrong sign (and stays negative).
static inline uint8_t take_signs(const float* x, const float* weights, bool even,
                                 float* magnitudes) {
  int minuses = 0;
  uint8_t signs = 0;
  for (int i = 0; i < 8; ++i) {
    const bool minus = !(x[i] >= 0.0f);
    magnitudes[i] = minus ? -x[i] : x[i];
    signs = static_cast<uint8_t>(signs | minus << i);
    minuses += minus;
  }
  if (!even || minuses % 2 == 0) return signs;
  int least = 0;
  float cost = weights[0] * x[0] * x[0];
  for (int i = 1; i < 8; ++i) {
    const float other = weights[i] * x[i] * x[i];
    if (other < cost) {
      cost = other;
      least = i;
    }
  }
  magnitudes[least] = -magnitudes[least];
  return static_cast<uint8_t>(signs ^ 1 << least);
}

// Of the points near a cell the one nearest to x / scale, the first of them. Where no distance is
// finite it is the cell's first.
template <int kDims>
int nearest_of(const Codebook<kDims>& book, const typename Codebook<kDims>::Cell& cell,
               const float* x, const float* weights, float scale) {
  const uint16_t* candidates = book.candidates(cell);
  int nearest = candidates[0];
  float least = FLT_MAX;
  for (uint32_t j = 0; j < cell.count; ++j) {
    const uint8_t* levels = book.levels(candidates[j]);
    float sum = 0.0f;
    for (int i = 0; i < kDims; ++i) {
      const float apart = scale * static_cast<float>(2 * levels[i] + 1) - x[i];
      sum += weights[i] * apart * apart;
    }
    if (sum < least) {
      least = sum;
      nearest = candidates[j];
    }
  }
  return nearest;
}

// Levels of a point for x * iscale, iscale = 1 / scale. Whether rounding alone gave a point.
template <int kDims>
bool find_point(const Codebook<kDims>& book, const float* x, const float* roots, float iscale,
                float scale, uint8_t* levels) {
  for (int i = 0; i < kDims; ++i) {
    const int level = nearest_int(0.5f * (iscale * x[i] - 1.0f));
    levels[i] = static_cast<uint8_t>(clamp_int(level, 0, Codebook<kDims>::kLevels - 1));
  }
  const auto& cell = book.cell(levels);
  if (cell.point >= 0) return true;
  const uint8_t* found = book.levels(nearest_of<kDims>(book, cell, x, roots, scale));
  for (int i = 0; i < kDims; ++i) levels[i] = found[i];
  return false;
}

template <int kCount>
CodeFit fit_of_levels(const Magnitudes<kCount>& group, const uint8_t* levels) {
  CodeFit fit = {0.0f, 0.0f};
  for (int i = 0; i < kCount; ++i) {
    fit.add(group.x[i], group.weights[i], static_cast<float>(2 * levels[i] + 1));
  }
  return fit;
}

// Levels and scale of a group: of all trial scales around the one that maps `top` to the highest
// level, the one whose points fit best; then points and scale once more. `scale` is what counts
// where no trial is any good.
template <typename Search>
float search_levels(const Codebook<Search::kDims>& book, const Magnitudes<Search::kGroup>& group,
                    float top, float scale, uint8_t* levels) {
  constexpr int kDims = Search::kDims;
  constexpr int kGroup = Search::kGroup;
  constexpr int kPoints = kGroup / kDims;
  constexpr float kHighest = static_cast<float>(2 * Codebook<kDims>::kLevels - 1);
  bool on_lattice[kPoints];
  for (bool& on : on_lattice) on = Search::kAgain == Again::kOffLattice;
  for (int i = 0; i < kGroup; ++i) levels[i] = 0;
  float best = 0.0f;
  for (int trial = -Search::kReach; trial <= Search::kReach; ++trial) {
    const float iscale = (kHighest + static_cast<float>(trial) * Search::kStep) / top;
    uint8_t tried[kGroup];
    bool on[kPoints];
    for (int p = 0; p < kPoints; ++p) {
      const int at = kDims * p;
      on[p] = find_point<kDims>(book, group.x + at, group.roots + at, iscale, 1.0f / iscale,
                                tried + at);
    }
    const CodeFit fit = fit_of_levels<kGroup>(group, tried);
    if (!(fit.qq > 0.0f && fit.xq * fit.xq > best * fit.qq)) continue;
    scale = fit.xq / fit.qq;
    best = scale * fit.xq;
    for (int i = 0; i < kGroup; ++i) levels[i] = tried[i];
    for (int p = 0; p < kPoints; ++p) on_lattice[p] = on[p];
  }
  bool again = Search::kAgain == Again::kAll;
  for (const bool on : on_lattice) again = again || !on;
  if (!again || !(scale > 0.0f)) return scale;
  for (int p = 0; p < kPoints; ++p) {
    if (Search::kAgain == Again::kOffLattice && on_lattice[p]) continue;
    const int at = kDims * p;
    find_point<kDims>(book, group.x + at, group.roots + at, 1.0f / scale, scale, levels + at);
  }
  const CodeFit fit = fit_of_levels<kGroup>(group, levels);
  return fit.qq > 0.0f ? fit.xq / fit.qq : scale;
}

// `importance` may be null: then x^2 weighs, and with kPlainVariance a quarter of the variance too.
template <typename Search>
void weigh(const float* x, const float* importance, float variance, float* weights) {
  if (importance != nullptr) {
    importance_weights(x, importance, variance, Search::kGroup, weights);
    return;
  }
  for (int i = 0; i < Search::kGroup; ++i) {
    weights[i] = Search::kPlainVariance ? 0.25f * variance + x[i] * x[i] : x[i] * x[i];
  }
}

// What the trials start from: the largest value at the highest level, or the best scale without a
// codebook. False for what cannot be told from zeros.
template <typename Search>
bool start_group(const Magnitudes<Search::kGroup>& group, float* top, float* scale) {
  constexpr int kLevels = Codebook<Search::kDims>::kLevels;
  if constexpr (Search::kFitsFirst) {
    uint8_t codes[Search::kGroup];
    *scale = search_positive<Search::kGroup>(group.x, group.weights, kLevels + 1, codes);
    *top = *scale * static_cast<float>(kLevels);
    return !(*top <= 0.0f);
  } else {
    *top = group.max;
    *scale = group.max / static_cast<float>(2 * kLevels - 1);
    return true;
  }
}

// One group; returns its scale.
template <typename Search>
float search_group(const Codebook<Search::kDims>& book, const float* x, const float* importance,
                   float variance, int g, CodebookBlock<Search>* block) {
  constexpr int kDims = Search::kDims;
  constexpr int kGroup = Search::kGroup;
  Magnitudes<kGroup> group;
  weigh<Search>(x, importance, variance, group.weights);
  for (int i = 0; i < kGroup; ++i) group.roots[i] = std::sqrt(group.weights[i]);
  uint8_t signs[kGroup / 8];
  for (int k = 0; k < kGroup / 8; ++k) {
    signs[k] = take_signs(x + 8 * k, group.weights + 8 * k, Search::kEvenSigns, group.x + 8 * k);
  }
  group.max = group.x[0];
  for (int i = 1; i < kGroup; ++i) group.max = group.max > group.x[i] ? group.max : group.x[i];
  float top;
  float scale;
  if (group.max < Search::kEpsilon || !start_group<Search>(group, &top, &scale)) {
    block->is_zero[g] = true;
    return 0.0f;
  }
  uint8_t levels[kGroup];
  scale = search_levels<Search>(book, group, top, scale, levels);
  const bool flip = scale < 0.0f;
  for (int k = 0; k < kGroup / 8; ++k) {
    block->signs[kGroup / 8 * g + k] = static_cast<uint8_t>(flip ? ~signs[k] : signs[k]);
  }
  for (int p = 0; p < kGroup / kDims; ++p) {
    block->points[kGroup / kDims * g + p] =
        static_cast<uint16_t>(book.cell(levels + kDims * p).point);
  }
  return flip ? -scale : scale;
}

// Scales of a super-block's groups as 2 s + 1 steps of d, s of 4 bits. d is 0 for zeros.
template <typename Search>
static inline void store_scales(const float* scales, CodebookBlock<Search>* block) {
  constexpr int kGroups = CodebookBlock<Search>::kGroups;
  float largest = 0.0f;
  for (int g = 0; g < kGroups; ++g) largest = largest > scales[g] ? largest : scales[g];
  if (largest == 0.0f) return;
  block->d = largest / 31.0f;
  for (int g = 0; g < kGroups; ++g) {
    const int scale = nearest_int(0.5f * (1.0f / block->d * scales[g] - 1.0f));
    block->scales[g] = static_cast<uint8_t>(clamp_int(scale, 0, 15));
  }
}

// A super-block: its groups, and their scales.
template <typename Search>
void search_block(const Codebook<Search::kDims>& book, const float* x, const float* importance,
                  CodebookBlock<Search>* block) {
  constexpr int kGroups = CodebookBlock<Search>::kGroups;
  *block = {};
  const float variance = Search::kVariances * sum_of_squares(x, kSuperBlock) / kSuperBlock;
  float scales[kGroups];
  for (int g = 0; g < kGroups; ++g) {
    const int at = Search::kGroup * g;
    scales[g] = search_group<Search>(
        book, x + at, importance == nullptr ? nullptr : importance + at, variance, g, block);
  }
  store_scales<Search>(scales, block);
}

// All blocks of a row; pack_found makes a file's block of each, which starts as zeros.
template <typename Search>
void quantize_codebook_row(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<typename Search::Block*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    CodebookBlock<Search> found;
    search_block<Search>(Search::kBook(), x + i, importance == nullptr ? nullptr : importance + i,
                         &found);
    *block = {};
    pack_found(found, block);
  }
}

}  // namespace nibble
