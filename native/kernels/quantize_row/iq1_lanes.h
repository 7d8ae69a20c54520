#pragma once

#include <cfloat>
#include <cstdint>
#include <cstring>

#include "formats/iq1_types.h"
#include "kernels/quantize_row/group_lanes.h"
#include "kernels/quantize_row/point_lanes.h"

// IQ1_S and IQ1_M (formats/iq1_search.h): sorting and cutting run with a group in every lane,
// looking for the nearest point runs with a candidate in every lane.
namespace nibble {
namespace {

// Best cuts of V::kWidth groups so far. Bit k of `shifts` is the shift of part k.
template <typename V>
struct CutLanes {
  typename V::F32 low;  // under 0 where nothing weighs
  typename V::F32 high;
  typename V::F32 shifts;
  typename V::F32 scale;
  typename V::F32 best;
};

// Sums over the sorted values before a place, of parts of a group that have a shift of their own.
template <typename V, int kGroup, int kParts>
struct SumLanes {
  typename V::F32 x[kParts][kGroup + 1];  // weight * x
  typename V::F32 w[kParts][kGroup + 1];  // weight
};

// Places of the values in the order from the smallest up, as sort_places: every pair is compared.
template <typename V, int kGroup>
void rank_lanes(const typename V::F32* x, typename V::F32* ranks) {
  using F32 = typename V::F32;
  for (int i = 0; i < kGroup; ++i) ranks[i] = V::set1(static_cast<float>(i));
  for (int i = 0; i < kGroup; ++i) {
    F32 own = ranks[i];
    for (int j = i + 1; j < kGroup; ++j) {
      const F32 behind = V::blend(V::set1(0.0f), V::set1(1.0f), V::gt(x[i], x[j]));
      own = V::add(own, behind);
      ranks[j] = V::sub(ranks[j], behind);
    }
    ranks[i] = own;
  }
}

// Values of other parts count as zeros, which change no sum that starts at 0.
template <typename V, int kGroup, int kParts>
void sum_lanes(const typename V::F32* x, const typename V::F32* w, const typename V::F32* ranks,
               SumLanes<V, kGroup, kParts>* sums) {
  using F32 = typename V::F32;
  constexpr int kValues = kGroup * V::kWidth;
  float sorted_x[kParts][kValues] = {};
  float sorted_w[kParts][kValues] = {};
  for (int i = 0; i < kGroup; ++i) {
    float ranks_of[V::kWidth];
    float x_of[V::kWidth];
    float w_of[V::kWidth];
    V::store(ranks_of, ranks[i]);
    V::store(x_of, V::mul(w[i], x[i]));
    V::store(w_of, w[i]);
    const int part = i * kParts / kGroup;
    for (int g = 0; g < V::kWidth; ++g) {
      const int at = static_cast<int>(ranks_of[g]) * V::kWidth + g;
      sorted_x[part][at] = x_of[g];
      sorted_w[part][at] = w_of[g];
    }
  }
  for (int part = 0; part < kParts; ++part) {
    F32 sum_x = V::set1(0.0f);
    F32 sum_w = sum_x;
    sums->x[part][0] = sums->w[part][0] = sum_x;
    for (int j = 0; j < kGroup; ++j) {
      sum_x = V::add(sum_x, V::load(sorted_x[part] + V::kWidth * j));
      sum_w = V::add(sum_w, V::load(sorted_w[part] + V::kWidth * j));
      sums->x[part][j + 1] = sum_x;
      sums->w[part][j + 1] = sum_w;
    }
  }
}

template <typename V>
void try_cut(typename V::F32 xq, typename V::F32 qq, int low, int high, int shifts,
             CutLanes<V>* cut) {
  using F32 = typename V::F32;
  const typename V::Mask better =
      V::both(V::gt(qq, V::set1(0.0f)), V::gt(V::mul(xq, xq), V::mul(cut->best, qq)));
  if (V::bits(better) == 0) return;
  const F32 scale = V::div(xq, qq);
  cut->low = V::blend(cut->low, V::set1(static_cast<float>(low)), better);
  cut->high = V::blend(cut->high, V::set1(static_cast<float>(high)), better);
  cut->shifts = V::blend(cut->shifts, V::set1(static_cast<float>(shifts)), better);
  cut->scale = V::blend(cut->scale, scale, better);
  cut->best = V::blend(cut->best, V::mul(scale, xq), better);
}

template <typename V>
CutLanes<V> no_cut() {
  const typename V::F32 zero = V::set1(0.0f);
  return {V::set1(-1.0f), zero, zero, zero, V::set1(-FLT_MAX)};
}

// find_cut of IQ1_S: one shift for all values.
template <typename V, int kGroup>
CutLanes<V> find_cuts(const SumLanes<V, kGroup, 1>& sums) {
  using F32 = typename V::F32;
  const F32* x = sums.x[0];
  const F32* w = sums.w[0];
  F32 high_x[2][kGroup + 1];  // those on level 2
  F32 high_w[2][kGroup + 1];
  F32 steps[2][3];
  for (int down = 0; down < 2; ++down) {
    for (int level = 0; level < 3; ++level) steps[down][level] = V::set1(kIq1Steps[down][level]);
    for (int high = 0; high <= kGroup; ++high) {
      const F32 step = steps[down][2];
      high_x[down][high] = V::mul(V::sub(x[kGroup], x[high]), step);
      high_w[down][high] = V::mul(V::mul(V::sub(w[kGroup], w[high]), step), step);
    }
  }
  CutLanes<V> cut = no_cut<V>();
  for (int low = 0; low <= kGroup; ++low) {
    F32 low_x[2];
    F32 low_w[2];
    for (int down = 0; down < 2; ++down) {
      low_x[down] = V::mul(x[low], steps[down][0]);
      low_w[down] = V::mul(V::mul(w[low], steps[down][0]), steps[down][0]);
    }
    for (int high = low; high <= kGroup; ++high) {
      const F32 middle_x = V::sub(x[high], x[low]);
      const F32 middle_w = V::sub(w[high], w[low]);
      for (int down = 0; down < 2; ++down) {
        const F32 step = steps[down][1];
        const F32 xq = V::add(V::add(low_x[down], V::mul(middle_x, step)), high_x[down][high]);
        const F32 qq =
            V::add(V::add(low_w[down], V::mul(V::mul(middle_w, step), step)), high_w[down][high]);
        try_cut<V>(xq, qq, low, high, down == 0 ? 0 : 15, &cut);
      }
    }
  }
  return cut;
}

// find_cut of IQ1_M: a shift for either half.
template <typename V, int kGroup>
CutLanes<V> find_cuts(const SumLanes<V, kGroup, 2>& sums) {
  using F32 = typename V::F32;
  CutLanes<V> cut = no_cut<V>();
  F32 all_x[2][2];  // by half and shift
  F32 all_w[2][2];
  F32 high_w[2][2][kGroup + 1];
  F32 to_lowest[2];
  for (int down = 0; down < 2; ++down) {
    const float* steps = kIq1Steps[down];
    const F32 step = V::set1(steps[2]);
    const F32 to_middle = V::set1(steps[1] * steps[1] - steps[2] * steps[2]);
    to_lowest[down] = V::set1(steps[0] * steps[0] - steps[1] * steps[1]);
    for (int half = 0; half < 2; ++half) {
      all_x[half][down] = V::mul(sums.x[half][kGroup], step);
      all_w[half][down] = V::mul(V::mul(sums.w[half][kGroup], step), step);
      for (int high = 0; high <= kGroup; ++high)
        high_w[half][down][high] = V::mul(sums.w[half][high], to_middle);
    }
  }
  for (int low = 0; low <= kGroup; ++low) {
    F32 low_w[2][2];
    for (int half = 0; half < 2; ++half) {
      for (int down = 0; down < 2; ++down)
        low_w[half][down] = V::add(all_w[half][down], V::mul(sums.w[half][low], to_lowest[down]));
    }
    for (int high = low; high <= kGroup; ++high) {
      F32 xq[2][2];
      F32 qq[2][2];
      for (int half = 0; half < 2; ++half) {
        const F32 lost = V::add(sums.x[half][low], sums.x[half][high]);
        for (int down = 0; down < 2; ++down) {
          xq[half][down] = V::sub(all_x[half][down], lost);
          qq[half][down] = V::add(low_w[half][down], high_w[half][down][high]);
        }
      }
      for (int shifts = 0; shifts < 4; ++shifts) {
        const int first = shifts >> 1;
        const int second = shifts & 1;
        try_cut<V>(V::add(xq[0][first], xq[1][second]), V::add(qq[0][first], qq[1][second]), low,
                   high, first | second << 1, &cut);
      }
    }
  }
  return cut;
}

// The cells that the values of groups fall into when they are cut.
template <typename V, int kGroup>
void cut_places(const typename V::F32* ranks, const CutLanes<V>& cut, uint16_t* places) {
  using F32 = typename V::F32;
  const F32 two = V::set1(2.0f);
  const typename V::Mask mirror = V::gt(V::set1(0.0f), cut.scale);
  for (int k = 0; k < kGroup / 8; ++k) {
    F32 place = V::set1(0.0f);
    for (int i = 8; i-- > 0;) {
      const F32 rank = ranks[8 * k + i];
      F32 level = V::blend(two, V::set1(1.0f), V::gt(cut.high, rank));
      level = V::blend(level, V::set1(0.0f), V::gt(cut.low, rank));
      level = V::blend(level, V::sub(two, level), mirror);
      place = V::add(V::mul(place, V::set1(3.0f)), level);
    }
    V::store_words(places + V::kWidth * k, place);
  }
}

// As in the tables of a point: four entries a dimension.
constexpr float kIq1Tables[2][kTerms] = {
    {-0.875f, 0.125f,  1.125f,  0,      -0.875f, 0.125f,  1.125f,  0,      -0.875f, 0.125f,  1.125f,
     0,       -0.875f, 0.125f,  1.125f, 0,       -0.875f, 0.125f,  1.125f, 0,       -0.875f, 0.125f,
     1.125f,  0,       -0.875f, 0.125f, 1.125f,  0,       -0.875f, 0.125f, 1.125f,  0},
    {-1.125f, -0.125f, 0.875f, 0, -1.125f, -0.125f, 0.875f, 0, -1.125f, -0.125f, 0.875f, 0,
     -1.125f, -0.125f, 0.875f, 0, -1.125f, -0.125f, 0.875f, 0, -1.125f, -0.125f, 0.875f, 0,
     -1.125f, -0.125f, 0.875f, 0, -1.125f, -0.125f, 0.875f, 0}};

// place_iq1, for one group: points at its places, which are `stride` apart.
template <typename V, int kEights>
Iq1Group<kEights> place_group(const Codebook<8>& book, const float* x, const float* weights,
                              const uint16_t* places, int shifts, float scale) {
  const bool mirror = scale < 0.0f;
  Iq1Group<kEights> group;
  group.scale = mirror ? -scale : scale;
  bool moved = false;
  for (int k = 0; k < kEights; ++k) {
    group.down[k] = (shifts >> k & 1) != mirror;
    const auto* cell = &book.cells()[places[V::kWidth * k]];
    if (cell->point < 0) {
      moved = true;
      PointValues<8> values;
      point_values<V, 8>(x + 8 * k, weights + 8 * k, &values);
      const uint16_t* candidates = book.words() + Codebook<8>::kTogether * cell->first;
      const uint16_t word = nearest_word<V, 8>(values, kIq1Tables[group.down[k]], candidates,
                                               cell->count, group.scale);
      cell = &book.cells()[place_of<8>(word)];
    }
    group.points[k] = static_cast<uint16_t>(cell->point);
  }
  if (moved) fit_iq1_again<kEights>(book, x, weights, &group);
  return group;
}

// V::kWidth groups.
template <typename V, typename Search>
void search_iq1_groups(const Codebook<8>& book, const float* x, const float* weights,
                       Iq1Group<Search::kEights>* groups) {
  constexpr int kGroup = Search::kGroup;
  constexpr int kParts = kGroup == 16 ? 2 : 1;
  typename V::F32 lanes[kGroup];
  typename V::F32 weight_lanes[kGroup];
  typename V::F32 ranks[kGroup];
  load_lanes<V, kGroup>(x, lanes);
  load_lanes<V, kGroup>(weights, weight_lanes);
  rank_lanes<V, kGroup>(lanes, ranks);
  SumLanes<V, kGroup, kParts> sums;
  sum_lanes<V, kGroup, kParts>(lanes, weight_lanes, ranks, &sums);
  const CutLanes<V> cut = find_cuts<V, kGroup>(sums);
  uint16_t places[Search::kEights * V::kWidth];
  cut_places<V, kGroup>(ranks, cut, places);
  float low[V::kWidth];
  float shifts[V::kWidth];
  float scales[V::kWidth];
  V::store(low, cut.low);
  V::store(shifts, cut.shifts);
  V::store(scales, cut.scale);
  for (int g = 0; g < V::kWidth; ++g) {
    groups[g] = {};
    if (low[g] < 0.0f || largest_magnitude<kGroup>(x + kGroup * g) < Search::kEpsilon) continue;
    groups[g] = place_group<V, Search::kEights>(book, x + kGroup * g, weights + kGroup * g,
                                                places + g, static_cast<int>(shifts[g]), scales[g]);
  }
}

// `importance` may be null: then x^2 weighs.
template <typename V, typename Search>
void quantize_iq1_sets(const float* x, const float* importance, void* row, int64_t n) {
  constexpr int kGroup = Search::kGroup;
  constexpr int kBlocks = kBlocksInSet<V, kGroup>;
  const Codebook<8>& book = iq1_codebook();
  auto* block = static_cast<typename Search::Block*>(row);
  for_block_sets<V, kGroup>(
      x, importance, n, [&](const float* from, const float* weigher, int count) {
        float variances[kBlocks];
        variances_of_blocks<kBlocks>(from, kVariancesIQ1, variances);
        float weights[kBlocks * kSuperBlock];
        weigh_row<V>(from, weigher, variances, 0, kBlocks * kSuperBlock, 0.0f, weights);
        Iq1Group<Search::kEights> groups[kGroupsInSet<V, kGroup>];
        for (int g = 0; g < kGroupsInSet<V, kGroup>; g += V::kWidth)
          search_iq1_groups<V, Search>(book, from + kGroup * g, weights + kGroup * g, groups + g);
        for (int b = 0; b < count; ++b, ++block) {
          *block = {};
          pack_found(from + kSuperBlock * b, weights + kSuperBlock * b,
                     groups + kSuperBlock / kGroup * b, block);
        }
      });
}

template <typename V, typename Search>
void quantize_iq1(const float* x, void* blocks, int64_t n) {
  quantize_iq1_sets<V, Search>(x, nullptr, blocks, n);
}

template <typename V, typename Search>
void quantize_weighted_iq1(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_iq1_sets<V, Search>(x, importance, blocks, n);
}

}  // namespace
}  // namespace nibble
