#pragma once

#include <cfloat>
#include <cstdint>
#include <cstring>

#include "formats/codebook_types.h"
#include "kernels/quantize_row/cell_runs.h"
#include "kernels/quantize_row/group_lanes.h"
#include "kernels/quantize_row/positive_lanes.h"

// The search of formats/codebook_search.h: what is done with every value runs with a group in every
// lane, looking for the nearest point runs with a candidate in every lane.
namespace nibble {
namespace {

template <typename Search>
constexpr int kPoints = Search::kGroup / Search::kDims;
template <typename Search>
constexpr int kTrials = 2 * Search::kReach + 1;

// V::kWidth groups, value i of lane g, and the same group by group.
template <typename V, typename Search>
struct CodebookGroups {
  static constexpr int kValues = Search::kGroup * V::kWidth;
  typename V::F32 x[Search::kGroup];  // magnitudes
  typename V::F32 w[Search::kGroup];
  typename V::F32 wx[Search::kGroup];
  float magnitudes[kValues];
  float roots[kValues];
  uint8_t signs[kValues / 8];
  bool is_zero[V::kWidth];
};

// Of every point of the groups its place, or its word (formats/codebook.h).
template <typename V, typename Search>
constexpr int kPointsOfLanes = kPoints<Search> * V::kWidth;

template <typename V>
struct WordFit {
  typename V::F32 xq;
  typename V::F32 qq;
};

template <typename V, typename Search>
void prepare_groups(const float* x, const float* importance, const float* variances, int first,
                    CodebookGroups<V, Search>* groups) {
  constexpr int kGroup = Search::kGroup;
  float weights[CodebookGroups<V, Search>::kValues];
  weigh_row<V>(x, importance, variances, first * kGroup, CodebookGroups<V, Search>::kValues,
               Search::kPlainVariance ? 0.25f : 0.0f, weights);
  for (int i = 0; i < CodebookGroups<V, Search>::kValues; i += V::kWidth)
    V::store(groups->roots + i, V::sqrt(V::load(weights + i)));
  for (int i = 0; i < CodebookGroups<V, Search>::kValues; i += 8) {
    groups->signs[i / 8] =
        take_signs(x + i, weights + i, Search::kEvenSigns, groups->magnitudes + i);
  }
  load_lanes<V, kGroup>(groups->magnitudes, groups->x);
  load_lanes<V, kGroup>(weights, groups->w);
  for (int i = 0; i < kGroup; ++i) groups->wx[i] = V::mul(groups->w[i], groups->x[i]);
}

// What the trials start from, as start_group; finds the groups of zeros.
template <typename V, typename Search>
void start_lanes(CodebookGroups<V, Search>* groups, typename V::F32* top, typename V::F32* scale) {
  using F32 = typename V::F32;
  constexpr int kLevels = Codebook<Search::kDims>::kLevels;
  F32 max = groups->x[0];
  for (int i = 1; i < Search::kGroup; ++i)
    max = V::blend(groups->x[i], max, V::gt(max, groups->x[i]));
  F32 too_small = V::blend(V::set1(0.0f), V::set1(1.0f), V::gt(V::set1(Search::kEpsilon), max));
  if constexpr (Search::kFitsFirst) {
    *scale = positive_scale_lanes<V, Search::kGroup>(groups->x, groups->w, groups->wx, kLevels + 1);
    *top = V::mul(*scale, V::set1(static_cast<float>(kLevels)));
    too_small = V::blend(too_small, V::set1(1.0f), V::gt(V::set1(FLT_TRUE_MIN), *top));
  } else {
    *top = max;
    *scale = V::div(max, V::set1(static_cast<float>(2 * kLevels - 1)));
  }
  float zeros[V::kWidth];
  V::store(zeros, too_small);
  for (int g = 0; g < V::kWidth; ++g) groups->is_zero[g] = zeros[g] != 0.0f;
}

// The cells that values fall into under iscale.
template <typename V, typename Search>
void find_places(const CodebookGroups<V, Search>& groups, typename V::F32 iscale,
                 typename V::F32* places) {
  using F32 = typename V::F32;
  constexpr int kLevels = Codebook<Search::kDims>::kLevels;
  for (int p = 0; p < kPoints<Search>; ++p) {
    F32 place = V::set1(0.0f);
    for (int i = Search::kDims; i-- > 0;) {
      const F32 steps = V::mul(iscale, groups.x[Search::kDims * p + i]);
      const F32 level =
          V::nearest(V::mul(V::set1(0.5f), V::sub(steps, V::set1(1.0f))), 0, kLevels - 1);
      place = V::add(V::mul(place, V::set1(static_cast<float>(kLevels))), level);
    }
    places[p] = place;
  }
}

// fit_of_levels.
template <typename V, typename Search>
WordFit<V> fit_words(const CodebookGroups<V, Search>& groups, const uint16_t* words) {
  using F32 = typename V::F32;
  constexpr int kDims = Search::kDims;
  WordFit<V> fit = {V::set1(0.0f), V::set1(0.0f)};
  for (int p = 0; p < kPoints<Search>; ++p) {
    const typename V::Words levels = V::load_words(words + V::kWidth * p);
    for (int i = 0; i < kDims; ++i) {
      const typename V::Words own = V::shift_right(levels, Codebook<kDims>::kBits * i);
      const F32 q = V::template lookup<kTableSize<kDims>>(kSteps<kDims>, own);
      fit.xq = V::add(fit.xq, V::mul(groups.wx[kDims * p + i], q));
      fit.qq = V::add(fit.qq, V::mul(V::mul(groups.w[kDims * p + i], q), q));
    }
  }
  return fit;
}

template <typename V, typename Search>
using SearchRuns = CellRuns<V, Search::kDims, kPoints<Search>, kTrials<Search>>;

// The codebook's points for the trials that are in `runs`; groups of zeros have none.
template <typename V, typename Search>
void find_words(const CodebookGroups<V, Search>& groups, const float* scales,
                SearchRuns<V, Search>* runs) {
  for (int g = 0; g < V::kWidth; ++g) {
    if (groups.is_zero[g]) continue;
    const int at = Search::kGroup * g;
    runs->find_group(groups.magnitudes + at, groups.roots + at, scales + g, g);
  }
}

// The scale and words of the best trial, as search_levels; of every group a bit for each point
// that was not on the codebook at once.
template <typename V, typename Search>
typename V::F32 search_trials(const Codebook<Search::kDims>& book,
                              const CodebookGroups<V, Search>& groups, typename V::F32 top,
                              typename V::F32 scale, uint16_t* words, uint8_t* off) {
  using F32 = typename V::F32;
  constexpr int kCount = kPointsOfLanes<V, Search>;
  constexpr float kHighest = static_cast<float>(2 * Codebook<Search::kDims>::kLevels - 1);
  SearchRuns<V, Search> runs(book);
  float scales[kTrials<Search>][V::kWidth];
  for (int t = 0; t < kTrials<Search>; ++t) {
    const float steps = kHighest + static_cast<float>(t - Search::kReach) * Search::kStep;
    const F32 iscale = V::div(V::set1(steps), top);
    F32 places[kPoints<Search>];
    V::store(scales[t], V::div(V::set1(1.0f), iscale));
    find_places<V, Search>(groups, iscale, places);
    runs.add_trial(places);
  }
  find_words<V, Search>(groups, scales[0], &runs);
  const F32 zero = V::set1(0.0f);
  F32 best = zero;
  F32 best_trial = V::set1(-1.0f);
  uint16_t tried[kTrials<Search>][kCount];
  runs.store_words(tried);
  for (int t = 0; t < kTrials<Search>; ++t) {
    const WordFit<V> fit = fit_words<V, Search>(groups, tried[t]);
    const typename V::Mask better =
        V::both(V::gt(fit.qq, zero), V::gt(V::mul(fit.xq, fit.xq), V::mul(best, fit.qq)));
    if (V::bits(better) == 0) continue;
    const F32 own = V::div(fit.xq, fit.qq);
    scale = V::blend(scale, own, better);
    best = V::blend(best, V::mul(own, fit.xq), better);
    best_trial = V::blend(best_trial, V::set1(static_cast<float>(t)), better);
  }
  float trials[V::kWidth];
  V::store(trials, best_trial);
  for (int g = 0; g < V::kWidth; ++g) {
    const int t = static_cast<int>(trials[g]);
    // Where no trial is any good.
    off[g] = t >= 0 || Search::kAgain == Again::kOffLattice ? 0 : 255;
    for (int p = 0; p < kPoints<Search>; ++p) {
      const int at = V::kWidth * p + g;
      words[at] = t >= 0 ? tried[t][at] : 0;
      if (t >= 0) off[g] = static_cast<uint8_t>(off[g] | runs.is_off(t, at) << p);
    }
  }
  return scale;
}

// Points once more for the scale that was found, and the scale for these.
template <typename V, typename Search>
typename V::F32 search_again(const Codebook<Search::kDims>& book,
                             const CodebookGroups<V, Search>& groups, typename V::F32 scale,
                             const uint8_t* off, uint16_t* words) {
  using F32 = typename V::F32;
  CellRuns<V, Search::kDims, kPoints<Search>, 1> runs(book);
  F32 places[kPoints<Search>];
  uint16_t found[1][kPointsOfLanes<V, Search>];
  float scales[V::kWidth];
  find_places<V, Search>(groups, V::div(V::set1(1.0f), scale), places);
  V::store(scales, scale);
  runs.add_trial(places);
  float again[V::kWidth];
  for (int g = 0; g < V::kWidth; ++g) {
    const bool wanted = !groups.is_zero[g] && (Search::kAgain == Again::kAll || off[g] != 0);
    again[g] = wanted && scales[g] > 0.0f ? 1.0f : 0.0f;
    const int at = Search::kGroup * g;
    if (again[g] != 0.0f) runs.find_group(groups.magnitudes + at, groups.roots + at, scales + g, g);
  }
  runs.store_words(found);
  for (int g = 0; g < V::kWidth; ++g) {
    if (again[g] == 0.0f) continue;
    for (int p = 0; p < kPoints<Search>; ++p) {
      if (Search::kAgain == Again::kOffLattice && (off[g] >> p & 1) == 0) continue;
      words[V::kWidth * p + g] = found[0][V::kWidth * p + g];
    }
  }
  const F32 zero = V::set1(0.0f);
  const WordFit<V> fit = fit_words<V, Search>(groups, words);
  const typename V::Mask fits = V::both(V::gt(fit.qq, zero), V::gt(V::load(again), zero));
  return V::blend(scale, V::div(fit.xq, fit.qq), fits);
}

// What is found goes into the blocks of a set, of which these groups are those from `first`.
template <typename V, typename Search>
void store_groups(const Codebook<Search::kDims>& book, const CodebookGroups<V, Search>& groups,
                  typename V::F32 scale, const uint16_t* words, int first,
                  CodebookBlock<Search>* blocks, float* scales) {
  constexpr int kEights = Search::kGroup / 8;
  float own[V::kWidth];
  V::store(own, scale);
  for (int g = 0; g < V::kWidth; ++g) {
    constexpr int kGroups = CodebookBlock<Search>::kGroups;
    CodebookBlock<Search>* block = blocks + (first + g) / kGroups;
    const int at = (first + g) % kGroups;
    const bool flip = own[g] < 0.0f;
    scales[first + g] = groups.is_zero[g] ? 0.0f : flip ? -own[g] : own[g];
    block->is_zero[at] = groups.is_zero[g];
    if (groups.is_zero[g]) continue;
    for (int k = 0; k < kEights; ++k) {
      const uint8_t signs = groups.signs[kEights * g + k];
      block->signs[kEights * at + k] = static_cast<uint8_t>(flip ? ~signs : signs);
    }
    for (int p = 0; p < kPoints<Search>; ++p) {
      const uint16_t word = words[V::kWidth * p + g];
      block->points[kPoints<Search> * at + p] =
          static_cast<uint16_t>(book.cells()[place_of<Search::kDims>(word)].point);
    }
  }
}

// `importance` may be null.
template <typename V, typename Search>
void quantize_codebook_sets(const float* x, const float* importance, void* row, int64_t n) {
  constexpr int kGroup = Search::kGroup;
  constexpr int kBlocks = kBlocksInSet<V, kGroup>;
  constexpr int kGroups = CodebookBlock<Search>::kGroups;
  const Codebook<Search::kDims>& book = Search::kBook();
  auto* block = static_cast<typename Search::Block*>(row);
  for_block_sets<V, kGroup>(
      x, importance, n, [&](const float* from, const float* weigher, int count) {
        float variances[kBlocks];
        variances_of_blocks<kBlocks>(from, Search::kVariances, variances);
        CodebookBlock<Search> found[kBlocks] = {};
        float scales[kGroupsInSet<V, kGroup>];
        for (int g = 0; g < kGroupsInSet<V, kGroup>; g += V::kWidth) {
          CodebookGroups<V, Search> groups;
          prepare_groups<V, Search>(from + kGroup * g,
                                    weigher == nullptr ? nullptr : weigher + kGroup * g, variances,
                                    g, &groups);
          typename V::F32 top;
          typename V::F32 scale;
          start_lanes<V, Search>(&groups, &top, &scale);
          uint16_t words[kPointsOfLanes<V, Search>];
          uint8_t off[V::kWidth];
          scale = search_trials<V, Search>(book, groups, top, scale, words, off);
          scale = search_again<V, Search>(book, groups, scale, off, words);
          store_groups<V, Search>(book, groups, scale, words, g, found, scales);
        }
        for (int b = 0; b < count; ++b, ++block) {
          store_scales<Search>(scales + kGroups * b, &found[b]);
          *block = {};
          pack_found(found[b], block);
        }
      });
}

template <typename V, typename Search>
void quantize_codebook(const float* x, void* blocks, int64_t n) {
  quantize_codebook_sets<V, Search>(x, nullptr, blocks, n);
}

template <typename V, typename Search>
void quantize_weighted_codebook(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_sets<V, Search>(x, importance, blocks, n);
}

}  // namespace
}  // namespace nibble
