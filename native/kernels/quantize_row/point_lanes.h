#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "base/bits.h"
#include "formats/codebook.h"

// The nearest point of a cell (nearest_of of formats/codebook_search.h) with a candidate in every
// lane.
namespace nibble {
namespace {

// A point has kDims tables of its terms, one entry for every level (and those that make it a power
// of two): together always 32.
constexpr int kTerms = 32;
template <int kDims>
constexpr int kTableSize = kTerms / kDims;

// What a level stands for.
constexpr float kOdd[kTerms] = {1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15,
                                1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15};
constexpr float kOddOfFour[kTerms] = {1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7,
                                      1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7};
template <int kDims>
constexpr const float* kSteps = kDims == 8 ? kOddOfFour : kOdd;

constexpr float kFarAway = INFINITY;
constexpr int kMostLanes = 16;
// Added to the distances of the last candidates: from kMostLanes - n on, n count.
constexpr float kBeyond[2 * kMostLanes] = {
    0,        0,        0,        0,        0,        0,        0,        0,
    0,        0,        0,        0,        0,        0,        0,        0,
    kFarAway, kFarAway, kFarAway, kFarAway, kFarAway, kFarAway, kFarAway, kFarAway,
    kFarAway, kFarAway, kFarAway, kFarAway, kFarAway, kFarAway, kFarAway, kFarAway};
constexpr float kLaneNumbers[kMostLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// The values of a point, each as often as its table has entries.
template <int kDims>
struct PointValues {
  float x[kTerms + kMostLanes];
  float weights[kTerms + kMostLanes];
};

template <typename V, int kDims>
void point_values(const float* x, const float* weights, PointValues<kDims>* values) {
  constexpr int kSize = kTableSize<kDims>;
  for (int i = 0; i < kDims; ++i) {
    // More lanes than entries reach into the next, which overwrites them.
    for (int entry = 0; entry < kSize; entry += V::kWidth) {
      V::store(values->x + kSize * i + entry, V::set1(x[i]));
      V::store(values->weights + kSize * i + entry, V::set1(weights[i]));
    }
  }
}

// Where a word's cell is.
template <int kDims>
int place_of(uint16_t word) {
  using Book = Codebook<kDims>;
  int place = 0;
  for (int i = kDims; i-- > 0;)
    place = place * Book::kLevels + (word >> Book::kBits * i & ((1 << Book::kBits) - 1));
  return place;
}

// Of V::kWidth candidates the sums over the dimensions, in order, of what tables have for their
// levels.
template <typename V, int kDims>
typename V::F32 sums_of_levels(const float* tables, const uint16_t* words) {
  constexpr int kSize = kTableSize<kDims>;
  const typename V::Words levels = V::load_words(words);
  typename V::F32 sum = V::template lookup<kSize>(tables, levels);
  for (int i = 1; i < kDims; ++i) {
    const typename V::Words own = V::shift_right(levels, Codebook<kDims>::kBits * i);
    sum = V::add(sum, V::template lookup<kSize>(tables + kSize * i, own));
  }
  return sum;
}

// The terms of a distance, a table for every dimension. `steps` is what the entries stand for.
template <typename V, int kDims>
void tabulate_terms(const PointValues<kDims>& values, const float* steps, float scale,
                    float* terms) {
  using F32 = typename V::F32;
  for (int i = 0; i < kTerms; i += V::kWidth) {
    const F32 y = V::mul(V::set1(scale), V::load(steps + i % kTableSize<kDims>));
    const F32 apart = V::sub(y, V::load(values.x + i));
    V::store(terms + i, V::mul(V::mul(V::load(values.weights + i), apart), apart));
  }
}

// The nearest of `count` candidates: its word. The first of the nearest, and where no distance is
// finite the first of all.
template <typename V, int kDims>
uint16_t nearest_word(const PointValues<kDims>& values, const float* steps, const uint16_t* words,
                      int count, float scale) {
  using F32 = typename V::F32;
  float terms[kTerms];
  tabulate_terms<V, kDims>(values, steps, scale, terms);
  F32 least = V::set1(FLT_MAX);
  F32 number = V::load(kLaneNumbers);
  F32 nearest = number;
  for (int at = 0; at < count; at += V::kWidth) {
    F32 sum = sums_of_levels<V, kDims>(terms, words + at);
    if (count - at < V::kWidth) sum = V::add(sum, V::load(kBeyond + kMostLanes - (count - at)));
    const typename V::Mask closer = V::gt(least, sum);
    least = V::blend(least, sum, closer);
    nearest = V::blend(nearest, number, closer);
    number = V::add(number, V::set1(static_cast<float>(V::kWidth)));
  }
  const typename V::Mask equal = V::equal(least, V::min_all(least));
  return words[static_cast<int>(V::reduce_min(V::blend(V::set1(65536.0f), nearest, equal)))];
}

}  // namespace
}  // namespace nibble
