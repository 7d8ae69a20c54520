#pragma once

#include <limits>
#include <type_traits>

#include "base/prefetch.h"
#include "formats/q8_0.h"
#include "kernels/attention/attention.h"
#include "kernels/row_math/functions.h"
#include "kernels/unpack/unpack_floats.h"

// The family as templates over an instruction set V (kernels/simd/dot_*.h). kSlices registers of
// tokens (for scores) or of dimensions (for sums of values) times up to kRows query rows stay in
// registers. Anonymous: every file of an instruction set compiles its own copy.
namespace nibble {
namespace {

// Calls body<n>(at) over all rows: n is kMost, at the end what is left.
template <int kMost, typename Body>
void each_tile(int64_t rows, const Body& body, int64_t at = 0) {
  for (; at + kMost <= rows; at += kMost) body.template operator()<kMost>(at);
  if constexpr (kMost > 1) each_tile<kMost - 1>(rows, body, at);
}

// Keys and values that few rows read come from memory, and a thread reads one stream of them at a
// time: asking for so many bytes more of it gains where they are in no cache, mostly 1.1 to 1.2.
constexpr int kAhead = 4096;
// Whether loads are from the cache of keys and values itself, not from a block in floats.
template <typename Load>
constexpr bool kIsCache = !std::is_same_v<typename Load::Value, float>;

// scores[r * kTokenBlock + token] of a tile of keys.
template <typename V, int kSlices, int kRows, typename Load>
void score_floats(const typename Load::Value* keys, int64_t n, const float* q, float* scores) {
  for (int64_t first = 0; first < kKeyTile; first += kSlices * V::kWidth) {
    typename V::F32 acc[kSlices][kRows];
    for (auto& slice : acc) {
      for (auto& lanes : slice) lanes = V::set1(0.0f);
    }
    for (int64_t k = 0; k < n; ++k) {
      if (kIsCache<Load> && first == 0) prefetch(keys + k * kKeyTile + kAhead / 2);
      typename V::F32 key[kSlices];
      for (int s = 0; s < kSlices; ++s)
        key[s] = Load::lanes(keys + k * kKeyTile + first + s * V::kWidth);
      for (int r = 0; r < kRows; ++r) {
        const typename V::F32 value = V::set1(q[r * n + k]);
        for (int s = 0; s < kSlices; ++s) acc[s][r] = V::fma(key[s], value, acc[s][r]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int s = 0; s < kSlices; ++s)
        V::store(scores + r * kTokenBlock + first + s * V::kWidth, acc[s][r]);
    }
  }
}

template <typename V>
constexpr int kKeyCodeZero = V::kUnsignedOnly ? 128 : 0;

// The same of codes, with those of rows `at` and on.
template <typename V, int kSlices, int kRows>
void score_codes(const uint8_t* keys, const Activations& x, int64_t at, float* scores) {
  const int64_t n = x.n;
  const int64_t blocks = n / kActBlock;
  const int8_t* q = x.codes + at * n;
  const float* q_scale = x.scale + at * blocks;
  const int32_t* code_sum = x.code_sum + at * 2 * blocks;
  for (int64_t first = 0; first < kKeyTile; first += kSlices * V::kWidth) {
    typename V::F32 acc[kSlices][kRows];
    for (auto& slice : acc) {
      for (auto& lanes : slice) lanes = V::set1(0.0f);
    }
    const uint8_t* block = keys;
    for (int64_t b = 0; b < blocks; ++b, block += kKeyTile * sizeof(BlockQ8_0)) {
      const auto* scale = reinterpret_cast<const uint16_t*>(block) + first;
      const uint8_t* codes = block + kKeyTile * sizeof(uint16_t) + 4 * first;
      typename V::Int dots[kSlices][kRows];
      for (int r = 0; r < kRows; ++r) {
        const int32_t* sum = code_sum + 2 * (r * blocks + b);
        const auto start = V::set1_int(-kKeyCodeZero<V> * (sum[0] + sum[1]));
        for (int s = 0; s < kSlices; ++s) dots[s][r] = start;
      }
      for (int four = 0; four < kActBlock / 4; ++four, codes += 4 * kKeyTile) {
        if (first == 0) {
          prefetch(codes + kAhead);
          prefetch(codes + kAhead + 64);
        }
        for (int r = 0; r < kRows; ++r) {
          const int8_t* value = q + r * n + b * kActBlock + 4 * four;
          for (int s = 0; s < kSlices; ++s) {
            const auto products = V::template dot4<!V::kUnsignedOnly>(
                V::begin(dots[s][r]), codes + 4 * s * V::kWidth, value);
            dots[s][r] = V::finish(dots[s][r], products);
          }
        }
      }
      for (int s = 0; s < kSlices; ++s) {
        const typename V::F32 d = V::from_f16(scale + s * V::kWidth);
        for (int r = 0; r < kRows; ++r) {
          const typename V::F32 both = V::mul(d, V::set1(q_scale[r * blocks + b]));
          acc[s][r] = V::fma(V::to_f32(dots[s][r]), both, acc[s][r]);
        }
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int s = 0; s < kSlices; ++s)
        V::store(scores + r * kTokenBlock + first + s * V::kWidth, acc[s][r]);
    }
  }
}

// sums[r] = sums[r] * factor[r] + weights[r] . values, for `count` tokens.
template <typename V, int kSlices, int kRows, typename Load>
void add_values(const typename Load::Value* values, int64_t n, int64_t count, const float* weights,
                const float* factor, float* sums) {
  const int64_t stride = sums_stride(n);
  for (int64_t first = 0; first < n; first += kSlices * V::kWidth) {
    typename V::F32 acc[kSlices][kRows];
    for (int r = 0; r < kRows; ++r) {
      const typename V::F32 f = V::set1(factor[r]);
      for (int s = 0; s < kSlices; ++s)
        acc[s][r] = V::mul(V::load(sums + r * stride + first + s * V::kWidth), f);
    }
    for (int64_t t = 0; t < count; ++t) {
      if (kIsCache<Load>) prefetch(values + t * n + first + kAhead / 2);
      typename V::F32 value[kSlices];
      for (int s = 0; s < kSlices; ++s)
        value[s] = Load::lanes(values + t * n + first + s * V::kWidth);
      for (int r = 0; r < kRows; ++r) {
        const typename V::F32 weight = V::set1(weights[r * kTokenBlock + t]);
        for (int s = 0; s < kSlices; ++s) acc[s][r] = V::fma(value[s], weight, acc[s][r]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int s = 0; s < kSlices; ++s)
        V::store(sums + r * stride + first + s * V::kWidth, acc[s][r]);
    }
  }
}

// Tokens of a block.
struct Range {
  int64_t begin;
  int64_t end;
};

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// e^x as exp_of of row_math/functions.h, for x of at most 0; NaN stays.
template <typename V>
typename V::F32 exp_of_lanes(typename V::F32 x) {
  const typename V::F32 kept = V::not_below(x, V::set1(-87.0f));
  const typename V::F32 magic = V::set1(12582912.0f);
  const typename V::F32 shifted = V::fma(kept, V::set1(1.44269504f), magic);
  const typename V::F32 whole = V::sub(shifted, magic);
  typename V::F32 r = V::fma(whole, V::set1(-0.693359375f), kept);
  r = V::fma(whole, V::set1(2.12194440e-4f), r);
  typename V::F32 p = V::fma(V::set1(1.9875691500e-4f), r, V::set1(1.3981999507e-3f));
  p = V::fma(p, r, V::set1(8.3334519073e-3f));
  p = V::fma(p, r, V::set1(4.1665795894e-2f));
  p = V::fma(p, r, V::set1(1.6666665459e-1f));
  p = V::fma(p, r, V::set1(5.0000001201e-1f));
  p = V::fma(V::mul(p, r), r, V::add(r, V::set1(1.0f)));
  return V::mul(p, V::power(shifted));
}

// What a row does not see is -inf for loops over whole blocks.
inline void mask(float* scores, Range seen) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < seen.begin; ++i) scores[i] = -kInfinity;
  for (int64_t i = seen.end; i < kTokenBlock; ++i) scores[i] = -kInfinity;
}

inline void cap_scores(float* scores, float cap) {
  for (int64_t i = 0; i < kTokenBlock; ++i) scores[i] = cap * tanh_of(scores[i] / cap);
}

// A row's scores become weights e^(score - largest). Returns what sums so far are to be multiplied
// with.
template <typename V>
float weigh(float* scores, float* largest, float* total) {
  typename V::F32 most = V::load(scores);
  for (int i = V::kWidth; i < kTokenBlock; i += V::kWidth) most = V::max(V::load(scores + i), most);
  const float block_most = V::reduce_max(most);
  float factor = 1.0f;
  if (block_most > *largest) {
    factor = exp_of(*largest - block_most);
    *largest = block_most;
  }
  const typename V::F32 from = V::set1(*largest);
  typename V::F32 sum = V::set1(0.0f);
  for (int i = 0; i < kTokenBlock; i += V::kWidth) {
    const typename V::F32 weight = exp_of_lanes<V>(V::sub(V::load(scores + i), from));
    V::store(scores + i, weight);
    sum = V::add(sum, weight);
  }
  *total = *total * factor + V::reduce_add(sum);
  return factor;
}

// A block of tokens: keys and values as the kernels take them.
template <typename KeyLoad, typename ValueLoad>
struct TokenBlock {
  int64_t begin;
  int64_t end;
  const typename KeyLoad::Value* keys;
  const typename ValueLoad::Value* values;
};

// As Load, keys are codes.
struct Codes {
  using Value = uint8_t;
};

template <typename V, int kSlices, int kCodeRows, typename KeyLoad, typename ValueLoad>
struct RowTile {
  const TokenBlock<KeyLoad, ValueLoad>& block;
  const QueryRows& queries;
  const RunningSums& running;
  float* scores;

  // Tokens that row r sees, counted from the block's first.
  Range seen(int64_t r) const {
    return {most(queries.begin(r), block.begin) - block.begin,
            least(queries.end(r), block.end) - block.begin};
  }

  template <int kRows>
  void score(int64_t at, Range seen) const {
    const int64_t n = queries.x.n;
    for (int64_t t = seen.begin / kKeyTile * kKeyTile; t < seen.end; t += kKeyTile) {
      if constexpr (std::is_same_v<KeyLoad, Codes>) {
        const uint8_t* keys = block.keys + t * (n / kActBlock) * sizeof(BlockQ8_0);
        each_tile<least(kRows, kCodeRows)>(kRows, CodeTile{keys, queries.x, at, scores + t});
      } else {
        score_floats<V, kSlices, kRows, KeyLoad>(block.keys + t * n, n, queries.x.f32 + at * n,
                                                 scores + t);
      }
    }
  }
  struct CodeTile {
    const uint8_t* keys;
    const Activations& x;
    int64_t first;
    float* scores;
    template <int kRows>
    void operator()(int64_t at) const {
      score_codes<V, kSlices, kRows>(keys, x, first + at, scores + at * kTokenBlock);
    }
  };

  template <int kRows>
  void add(int64_t at, int64_t row, Range range, const float* factor) const {
    const int64_t n = queries.x.n;
    add_values<V, kSlices, kRows, ValueLoad>(block.values + range.begin * n, n,
                                             range.end - range.begin,
                                             scores + row * kTokenBlock + range.begin, factor,
                                             running.sums + (at + row) * sums_stride(n));
  }

  // Scores of rows `at` and on become weights; factors[r] is what row r's sums are to be multiplied
  // with.
  void weigh_rows(int64_t at, int rows, float* factors) const {
    for (int r = 0; r < rows; ++r) {
      const Range range = seen(at + r);
      factors[r] = 1.0f;
      if (range.begin >= range.end) continue;
      float* row = scores + r * kTokenBlock;
      if (queries.cap > 0) cap_scores(row, queries.cap);
      if (range.begin > 0 || range.end < kTokenBlock) mask(row, range);
      factors[r] = weigh<V>(row, running.largest + at + r, running.total + at + r);
    }
  }

  // What only some rows see, row by row: it must not reach the others, be it NaN.
  void add_rest(int64_t at, int rows, Range common) const {
    constexpr float kOne = 1.0f;
    for (int r = 0; r < rows; ++r) {
      const Range range = seen(at + r);
      if (range.begin < common.begin) add<1>(at, r, {range.begin, common.begin}, &kOne);
      const int64_t rest = most(range.begin, common.end);
      if (rest < range.end) add<1>(at, r, {rest, range.end}, &kOne);
    }
  }

  template <int kRows>
  void operator()(int64_t at) const {
    // All rows see `common`, some see `any`: a later row begins and ends later.
    const Range first = seen(at);
    const Range last = seen(at + kRows - 1);
    Range common = {last.begin, first.end};
    const Range any = {first.begin, last.end};
    if (any.begin >= any.end) return;
    if (common.begin >= common.end) common = {0, 0};
    score<kRows>(at, any);
    float factors[kRows];
    weigh_rows(at, kRows, factors);
    add<kRows>(at, 0, common, factors);
    if (any.begin < common.begin || any.end > common.end) add_rest(at, kRows, common);
  }
};

template <typename V>
void to_floats(const uint16_t* halves, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + V::kWidth <= count; i += V::kWidth) V::store(out + i, V::from_f16(halves + i));
  for (; i < count; ++i) out[i] = f16_to_f32(halves[i]);
}

template <typename V>
void to_floats(const BlockQ8_0* blocks, int64_t count, float* out) {
  for (int64_t i = 0; i < count / kActBlock; ++i, out += kActBlock) {
    prefetch(reinterpret_cast<const uint8_t*>(blocks + i) + kAhead);
    const typename V::F32 d = V::set1(V::half(blocks[i].d));
    for (int j = 0; j < kActBlock; j += V::kWidth)
      V::store(out + j, V::mul(d, V::from_i8(blocks[i].qs + j)));
  }
}

template <typename V, int kSlices, int kMostRows, int kCodeRows>
void attend(const CachedHead& head, const QueryRows& queries, int64_t begin, int64_t end,
            const RunningSums& running, float* scratch) {
  const int64_t n = head.head_dim;
  const int64_t rows = queries.x.rows;
  float* key_floats = scratch;
  float* value_floats = key_floats + kTokenBlock * n;
  float* scores = value_floats + kTokenBlock * n + kSlackBytes;
  const auto run = [&](auto key_load, auto value_load, const auto* keys, const auto* values,
                       Range range) {
    using KeyLoad = decltype(key_load);
    using ValueLoad = decltype(value_load);
    const TokenBlock<KeyLoad, ValueLoad> block = {range.begin, range.end, keys, values};
    each_tile<kMostRows>(
        rows, RowTile<V, kSlices, kCodeRows, KeyLoad, ValueLoad>{block, queries, running, scores});
  };
  // Blocks before the first row's window are nobody's.
  begin = most(begin, queries.begin(0));
  end = least(end, queries.end(rows - 1));
  for (int64_t at = begin / kTokenBlock * kTokenBlock; at < end; at += kTokenBlock) {
    const Range range = {at, least(at + kTokenBlock, end)};
    const int64_t count = range.end - at;
    const int64_t tiles = (count + kKeyTile - 1) / kKeyTile;
    if (head.type == KeysAndValues::kQ8_0) {
      const int64_t row_bytes = n / kActBlock * static_cast<int64_t>(sizeof(BlockQ8_0));
      to_floats<V>(reinterpret_cast<const BlockQ8_0*>(head.values + at * row_bytes), count * n,
                   value_floats);
      run(Codes(), LoadF32<V>(), head.keys + at * row_bytes, value_floats, range);
      continue;
    }
    const auto* keys = reinterpret_cast<const uint16_t*>(head.keys) + at * n;
    const auto* values = reinterpret_cast<const uint16_t*>(head.values) + at * n;
    // A single tile of rows converts what it loads.
    if (rows <= kMostRows) {
      run(LoadF16<V>(), LoadF16<V>(), keys, values, range);
    } else {
      to_floats<V>(keys, tiles * kKeyTile * n, key_floats);
      to_floats<V>(values, count * n, value_floats);
      run(LoadF32<V>(), LoadF32<V>(), key_floats, value_floats, range);
    }
  }
}

template <typename V, int kSlices, int kMostRows, int kCodeRows>
constexpr Attention attention_of(Isa isa) {
  return {isa, kKeyCodeZero<V>, attend<V, kSlices, kMostRows, kCodeRows>};
}

}  // namespace
}  // namespace nibble
