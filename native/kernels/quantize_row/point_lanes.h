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

// The values of a point.
template <int kDims>
struct PointValues {
  float x[kTerms + kMostLanes];  // each as often as its table has entries
  float weights[kTerms + kMostLanes];
  // All other candidates have to be farther away by this, that a point counts as alone; 0 if none
  // does.
  float margin;
};

struct NearestWord {
  uint16_t word;
  bool alone;
};

// `largest` and `smallest` are the trial scales, which all lie between.
//
// A distance is D(s) = sum w (s q - x)^2, so that (D_a(s) - D_b(s)) / s is a line in s: a point
// that is nearest under two scales is nearest between them too. That is so without rounding; a
// computed distance is at most 13.3 u M off, with M = sum w (s 15 + |x|)^2 and u = 2^-24 (the
// steps' errors added up), as long as nothing over- or underflows. So where two distances differ by
// T at both ends, between them they do by at least (T - 26.6 u M) s_min / s_max, which is more
// than 26.6 u M with T = 128 u M and s_max <= 1.6 s_min.
template <int kDims>
float margin_of(const float* x, const float* weights, float largest, float smallest) {
  constexpr float kMostOdd = kDims == 8 ? 5.0f : 15.0f;
  constexpr float kTiny = 1e-18f;
  constexpr float kLarge = 1e18f;
  float sum = 0.0f;
  float farthest = 0.0f;
  for (int i = 0; i < kDims; ++i) {
    const float apart = largest * kMostOdd + (x[i] < 0.0f ? -x[i] : x[i]);
    sum += weights[i] * apart * apart;
    farthest = farthest > apart ? farthest : apart;
  }
  const bool safe = smallest > kTiny && largest <= 1.6f * smallest && farthest < kLarge &&
                    sum > kTiny && sum < kLarge;
  return safe ? sum * 0x1p-17f : 0.0f;
}

template <typename V, int kDims>
void point_values(const float* x, const float* weights, float largest, float smallest,
                  PointValues<kDims>* values) {
  constexpr int kSize = kTableSize<kDims>;
  for (int i = 0; i < kDims; ++i) {
    // More lanes than entries reach into the next, which overwrites them.
    for (int entry = 0; entry < kSize; entry += V::kWidth) {
      V::store(values->x + kSize * i + entry, V::set1(x[i]));
      V::store(values->weights + kSize * i + entry, V::set1(weights[i]));
    }
  }
  values->margin = smallest < largest ? margin_of<kDims>(x, weights, largest, smallest) : 0.0f;
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

// Distances of V::kWidth candidates: sums over the dimensions in order, their terms from tables.
template <typename V, int kDims>
typename V::F32 distances(const float* terms, const uint16_t* words) {
  constexpr int kSize = kTableSize<kDims>;
  const typename V::Words levels = V::load_words(words);
  typename V::F32 sum = V::template lookup<kSize>(terms, levels);
  for (int i = 1; i < kDims; ++i) {
    const typename V::Words own = V::shift_right(levels, Codebook<kDims>::kBits * i);
    sum = V::add(sum, V::template lookup<kSize>(terms + kSize * i, own));
  }
  return sum;
}

// The terms of a distance, a table for every dimension. `steps` is what the entries stand for.
template <typename V, int kDims>
void tabulate_terms(const PointValues<kDims>& values, const float* steps, float scale,
                    float* terms) {
  using F32 = typename V::F32;
  for (int i = 0; i < kTerms; i += V::kWidth) {
    const F32 y = V::mul(V::set1(scale), V::load(steps + i));
    const F32 apart = V::sub(y, V::load(values.x + i));
    V::store(terms + i, V::mul(V::mul(V::load(values.weights + i), apart), apart));
  }
}

// `words` of `count` candidates.
template <typename V, int kDims>
NearestWord nearest_word(const PointValues<kDims>& values, const float* steps,
                         const uint16_t* words, int count, float scale) {
  using F32 = typename V::F32;
  float terms[kTerms];
  tabulate_terms<V, kDims>(values, steps, scale, terms);
  const F32 farthest = V::set1(FLT_MAX);
  F32 least = farthest;
  F32 second = least;
  F32 number = V::load(kLaneNumbers);
  F32 nearest = number;
  int at = 0;
  for (; at < count - V::kWidth; at += V::kWidth) {
    const F32 sum = distances<V, kDims>(terms, words + at);
    const typename V::Mask closer = V::gt(least, sum);
    second = V::min(second, V::blend(sum, least, closer));
    least = V::blend(least, sum, closer);
    nearest = V::blend(nearest, number, closer);
    number = V::add(number, V::set1(static_cast<float>(V::kWidth)));
  }
  const F32 last =
      V::add(distances<V, kDims>(terms, words + at), V::load(kBeyond + kMostLanes - (count - at)));
  const typename V::Mask closer = V::gt(least, last);
  second = V::min(second, V::blend(last, least, closer));
  least = V::blend(least, last, closer);
  const float distance = V::reduce_min(least);
  const typename V::Mask equal = V::equal(least, V::set1(distance));
  int found;
  if (at == 0) {
    found = first_bit(V::bits(equal));
  } else {
    nearest = V::blend(V::set1(65536.0f), V::blend(nearest, number, closer), equal);
    found = static_cast<int>(V::reduce_min(nearest));
  }
  const F32 limit = V::set1(distance + values.margin);
  const unsigned near = V::bits(V::gt(limit, least));
  const bool one = near != 0 && (near & (near - 1)) == 0;
  return {words[found], one && V::bits(V::gt(limit, second)) == 0};
}

}  // namespace
}  // namespace nibble
