#pragma once

#include <cmath>
#include <cstdint>

#include "base/half.h"
#include "formats/q8_0.h"
#include "kernels/quantize_row/block32_types.h"
#include "kernels/quantize_row/magnitude_lanes.h"

// Types with blocks of 32 values and no search. Scales are taken of V::kWidth blocks at a time:
// what happens once in a block, its division above all, costs as much as all its codes.
namespace nibble {
namespace {

// The least and the largest value of V::kWidth blocks.
template <typename V>
struct Ranges {
  float min[V::kWidth];
  float max[V::kWidth];
};

// Of `count` blocks; the others' are of opposite signs and not equal, which is no special case.
template <typename V>
void find_ranges(const float* x, int count, Ranges<V>* ranges) {
  for (int b = 0; b < count; ++b) {
    const float* own = x + kBlock32 * b;
    typename V::F32 min = V::load(own);
    typename V::F32 max = min;
    for (int j = V::kWidth; j < kBlock32; j += V::kWidth) {
      min = V::min(min, V::load(own + j));
      max = V::max(max, V::load(own + j));
    }
    ranges->min[b] = V::reduce_min(min);
    ranges->max[b] = V::reduce_max(max);
  }
  for (int b = count; b < V::kWidth; ++b) {
    ranges->min[b] = -1.0f;
    ranges->max[b] = 2.0f;
  }
}

// The values of largest magnitude; where both signs have it, the first.
template <typename V>
typename V::F32 extremes_of(const float* x, int count) {
  Ranges<V> ranges;
  find_ranges<V>(x, count, &ranges);
  const typename V::F32 min = V::load(ranges.min);
  const typename V::F32 max = V::load(ranges.max);
  const typename V::F32 sum = V::add(max, min);
  const typename V::F32 zero = V::set1(0.0f);
  const typename V::F32 extremes = V::blend(max, min, V::gt(zero, sum));
  if (V::holds(V::gt(V::abs(sum), zero))) return extremes;
  float values[V::kWidth];
  V::store(values, extremes);
  for (int b = 0; b < count; ++b) {
    if (ranges.max[b] != -ranges.min[b]) continue;
    const float* own = x + kBlock32 * b;
    // Of zeros none is taken, and 0 has no sign.
    values[b] = 0.0f;
    for (int j = 0; j < kBlock32 && values[b] == 0.0f; ++j) {
      if (own[j] != 0.0f && std::fabs(own[j]) == ranges.max[b]) values[b] = own[j];
    }
  }
  return V::load(values);
}

// The least of zeros is the first, whose sign goes into the file.
template <typename V>
void choose_first_zeros(const float* x, int count, Ranges<V>* ranges) {
  const typename V::F32 zero = V::set1(0.0f);
  if (V::holds(V::gt(V::abs(V::load(ranges->min)), zero))) return;
  for (int b = 0; b < count; ++b) {
    for (int j = 0; ranges->min[b] == 0.0f && j < kBlock32; ++j) {
      if (x[kBlock32 * b + j] != 0.0f) continue;
      ranges->min[b] = x[kBlock32 * b + j];
      break;
    }
  }
}

template <typename V>
typename V::F32 inverses(typename V::F32 d) {
  const typename V::F32 zero = V::set1(0.0f);
  return V::blend(V::div(V::set1(1.0f), d), zero, V::equal(d, zero));
}

// codes = (x - m) * id + shift, truncated, 0 .. most.
template <typename V>
void store_affine(const float* x, float m, float id, float shift, int most,
                  uint8_t codes[kBlock32]) {
  for (int j = 0; j < kBlock32; j += V::kWidth) {
    const typename V::F32 v = V::mul(V::sub(V::load(x + j), V::set1(m)), V::set1(id));
    V::store_codes(codes + j, V::add(v, V::set1(shift)), most);
  }
}

// Calls body(values, blocks) for V::kWidth blocks at a time, at the end fewer.
template <typename V, typename Body>
void for_blocks_32(const float* x, int64_t n, const Body& body) {
  constexpr int64_t kValues = int64_t{V::kWidth} * kBlock32;
  for (int64_t i = 0; i < n; i += kValues)
    body(x + i, static_cast<int>((n - i < kValues ? n - i : kValues) / kBlock32));
}

// See symmetric_codes.
template <typename V, typename Type>
void quantize_symmetric_32(const float* x, void* row, int64_t n) {
  using F32 = typename V::F32;
  auto* block = static_cast<typename Type::Block*>(row);
  for_blocks_32<V>(x, n, [&](const float* from, int count) {
    const F32 d = V::div(extremes_of<V>(from, count), V::set1(static_cast<float>(-Type::kHalf)));
    uint16_t halves[V::kWidth];
    float ids[V::kWidth];
    V::to_f16(halves, d);
    V::store(ids, inverses<V>(d));
    for (int b = 0; b < count; ++b, ++block) {
      uint8_t codes[kBlock32];
      block->d = halves[b];
      store_affine<V>(from + kBlock32 * b, 0.0f, ids[b], static_cast<float>(Type::kHalf) + 0.5f,
                      2 * Type::kHalf - 1, codes);
      Type::pack(codes, block);
    }
  });
}

// See affine_codes.
template <typename V, typename Type>
void quantize_affine_32(const float* x, void* row, int64_t n) {
  using F32 = typename V::F32;
  auto* block = static_cast<typename Type::Block*>(row);
  for_blocks_32<V>(x, n, [&](const float* from, int count) {
    Ranges<V> ranges;
    find_ranges<V>(from, count, &ranges);
    choose_first_zeros<V>(from, count, &ranges);
    const F32 min = V::load(ranges.min);
    const F32 max = V::load(ranges.max);
    // Zeros of two signs would give a d of -0.
    const F32 d = V::blend(V::div(V::sub(max, min), V::set1(static_cast<float>(Type::kMost))),
                           V::set1(0.0f), V::equal(max, min));
    uint16_t halves[V::kWidth];
    uint16_t mins[V::kWidth];
    float ids[V::kWidth];
    V::to_f16(halves, d);
    V::to_f16(mins, min);
    V::store(ids, inverses<V>(d));
    for (int b = 0; b < count; ++b, ++block) {
      uint8_t codes[kBlock32];
      block->d = halves[b];
      block->m = mins[b];
      store_affine<V>(from + kBlock32 * b, ranges.min[b], ids[b], 0.5f, Type::kMost, codes);
      Type::pack(codes, block);
    }
  });
}

template <typename V>
void quantize_q8_0(const float* x, void* row, int64_t n) {
  auto* block = static_cast<BlockQ8_0*>(row);
  for_blocks_32<V>(x, n, [&](const float* from, int count) {
    float largest[V::kWidth] = {};
    for (int b = 0; b < count; ++b) largest[b] = magnitude_of<V, kBlock32>(from + kBlock32 * b);
    const typename V::F32 d = V::div(V::load(largest), V::set1(127.0f));
    uint16_t halves[V::kWidth];
    float ids[V::kWidth];
    V::to_f16(halves, d);
    V::store(ids, inverses<V>(d));
    for (int b = 0; b < count; ++b, ++block) {
      block->d = halves[b];
      const typename V::F32 id = V::set1(ids[b]);
      for (int j = 0; j < kBlock32; j += V::kWidth)
        V::store_rounded(block->qs + j, V::mul(V::load(from + kBlock32 * b + j), id));
    }
  });
}

}  // namespace
}  // namespace nibble
