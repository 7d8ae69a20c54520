#pragma once

#include "kernels/quantize_row/point_lanes.h"

// The nearest point of a cell under many scales. A distance is
//   D(s) = sum w (s q - x)^2 = s (s A - 2 B) + C,  A = sum w q q,  B = sum w x q,
// so that candidates compare as the lines s A - 2 B, which two sums for each make known for all
// scales.
//
// That is so without rounding, but a file has the point whose distance, as
// formats/codebook_search.h computes it, is the least. With u = 2^-24, M = sum w (s Q + |x|)^2 for
// the largest of the scales and Q the largest q, a distance computed there is at most 13.3 u M off
// and a computed line at most 11 u M / s (the steps' errors added up), where nothing over- or
// underflows. So where all other computed lines are higher than a point's by 64 u M / s, s the
// smallest of the scales, their distances are larger by at least (64 - 22) u M, and it is certainly
// the file's: 26.6 u M is enough. And where that is so under two scales, it is under all between:
// they are lines.
namespace nibble {
namespace {

// A word, and whether it is certain.
struct LikelyWord {
  uint16_t word;
  bool certain;
};

// What the lines of a point's candidates are summed from.
template <int kDims>
struct LineTables {
  float a[kTerms];  // w q q
  float b[kTerms];  // w x q
  float margin;     // 64 u M / s, 0 where nothing is certain
};

// `largest` and `smallest` are the scales, which all lie between.
template <int kDims>
float margin_of(const float* x, const float* weights, float largest, float smallest) {
  constexpr float kMostOdd = static_cast<float>(2 * Codebook<kDims>::kLevels - 1);
  constexpr float kTiny = 1e-6f;
  constexpr float kLarge = 1e6f;
  float sum = 0.0f;
  float farthest = 0.0f;
  for (int i = 0; i < kDims; ++i) {
    const float apart = largest * kMostOdd + (x[i] < 0.0f ? -x[i] : x[i]);
    sum += weights[i] * apart * apart;
    farthest = farthest > apart ? farthest : apart;
  }
  const bool safe =
      smallest > kTiny && farthest < kLarge && sum > kTiny * kTiny && sum < kLarge * kLarge;
  return safe ? sum * 0x1p-18f / smallest : 0.0f;
}

template <typename V, int kDims>
void line_tables(const PointValues<kDims>& values, LineTables<kDims>* tables) {
  using F32 = typename V::F32;
  for (int i = 0; i < kTerms; i += V::kWidth) {
    const F32 q = V::load(kSteps<kDims> + i % kTableSize<kDims>);
    const F32 wq = V::mul(V::load(values.weights + i), q);
    V::store(tables->a + i, V::mul(wq, q));
    V::store(tables->b + i, V::mul(wq, V::load(values.x + i)));
  }
}

// Of at most kChunks * V::kWidth candidates.
template <typename V, int kDims, int kChunks>
class CandidateLines {
 public:
  CandidateLines(const LineTables<kDims>& tables, const uint16_t* words, int count)
      : words_(words),
        chunks_(kChunks == 1 ? 1 : (count + V::kWidth - 1) / V::kWidth),
        margin_(tables.margin) {
    for (int i = 0; i < chunks_; ++i) {
      a_[i] = sums_of_levels<V, kDims>(tables.a, words + V::kWidth * i);
      const typename V::F32 b = sums_of_levels<V, kDims>(tables.b, words + V::kWidth * i);
      b_[i] = V::add(b, b);
    }
    const int rest = count - V::kWidth * (chunks_ - 1);
    b_[chunks_ - 1] = V::sub(b_[chunks_ - 1], V::load(kBeyond + kMostLanes - rest));
  }

  LikelyWord nearest(float scale) const {
    using F32 = typename V::F32;
    const F32 s = V::set1(scale);
    F32 own = V::sub(V::mul(s, a_[0]), b_[0]);
    if constexpr (kChunks == 1) {
      const unsigned close = close_bits(own, V::min_all(own));
      return {words_[first_bit(close | 1u << (V::kWidth - 1))], is_one(close)};
    } else {
      F32 second = V::set1(INFINITY);  // of every lane
      F32 number = V::set1(0.0f);
      F32 chunk = number;
      for (int i = 1; i < chunks_; ++i) {
        const F32 line = V::sub(V::mul(s, a_[i]), b_[i]);
        const typename V::Mask lower = V::gt(own, line);
        chunk = V::add(chunk, V::set1(1.0f));
        second = V::min(second, V::blend(line, own, lower));
        number = V::blend(number, chunk, lower);
        own = V::blend(own, line, lower);
      }
      const F32 least = V::min_all(own);
      const unsigned close = close_bits(own, least);
      float numbers[V::kWidth];
      V::store(numbers, number);
      const int lane = first_bit(close | 1u << (V::kWidth - 1));
      return {words_[V::kWidth * static_cast<int>(numbers[lane]) + lane],
              is_one(close) && close_bits(second, least) == 0};
    }
  }

 private:
  unsigned close_bits(typename V::F32 lines, typename V::F32 least) const {
    return V::bits(V::gt(V::add(least, V::set1(margin_)), lines));
  }
  static bool is_one(unsigned bits) { return bits != 0 && (bits & (bits - 1)) == 0; }

  const uint16_t* words_;
  int chunks_;
  float margin_;
  typename V::F32 a_[kChunks];
  typename V::F32 b_[kChunks];
};

}  // namespace
}  // namespace nibble
