#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/block32.h"
#include "formats/q4_0.h"
#include "formats/q4_1.h"
#include "formats/q5_0.h"
#include "formats/q5_1.h"
#include "formats/q8_0.h"
#include "kernels/dispatch.h"
#include "kernels/quantize_row/affine_types.h"
#include "kernels/quantize_row/q6_k_lanes.h"
#include "kernels/quantize_row/symmetric_lanes.h"

// The family as templates over an instruction set V (kernels/simd). Every step is the scalar
// reference's, on many values at once; what is a sum in the reference stays a sum in its order, so
// the bytes are the same.
namespace nibble {
namespace {

struct Range {
  float min;
  float max;
};

// Of 32 values.
template <typename V>
Range range_of(const float* x) {
  typename V::F32 min = V::load(x);
  typename V::F32 max = min;
  for (int j = V::kWidth; j < kBlock32; j += V::kWidth) {
    min = V::min(min, V::load(x + j));
    max = V::max(max, V::load(x + j));
  }
  return {V::reduce_min(min), V::reduce_max(max)};
}

// The least value; of zeros the first, whose sign goes into the file.
template <typename V>
Range range_with_first_zero(const float* x) {
  Range range = range_of<V>(x);
  for (int j = 0; range.min == 0.0f && j < kBlock32; ++j) {
    if (x[j] != 0.0f) continue;
    range.min = x[j];
    break;
  }
  return range;
}

// The value of largest magnitude; where both signs have it, the first.
template <typename V>
float extreme_of(const float* x) {
  const Range range = range_of<V>(x);
  if (range.max > -range.min) return range.max;
  if (range.max < -range.min) return range.min;
  for (int j = 0; j < kBlock32; ++j) {
    if (x[j] != 0.0f && (x[j] == range.max || x[j] == range.min)) return x[j];
  }
  return 0.0f;
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

float inverse(float d) { return d != 0.0f ? 1.0f / d : 0.0f; }

// d of the block, its codes in `codes`: see symmetric_codes.
template <typename V>
float symmetric(const float* x, int half, uint8_t codes[kBlock32]) {
  const float d = extreme_of<V>(x) / static_cast<float>(-half);
  store_affine<V>(x, 0.0f, inverse(d), static_cast<float>(half) + 0.5f, 2 * half - 1, codes);
  return d;
}

// See affine_codes.
template <typename V>
Affine affine(const float* x, int most, uint8_t codes[kBlock32]) {
  const Range range = range_with_first_zero<V>(x);
  // Zeros of two signs would give a d of -0.
  const float d =
      range.max == range.min ? 0.0f : (range.max - range.min) / static_cast<float>(most);
  store_affine<V>(x, range.min, inverse(d), 0.5f, most, codes);
  return {d, range.min};
}

template <typename V>
void quantize_q4_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    block->d = f32_to_f16(symmetric<V>(x + i, 8, codes));
    pack_nibbles(codes, block->qs);
  }
}

template <typename V>
void quantize_q5_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ5_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    block->d = f32_to_f16(symmetric<V>(x + i, 16, codes));
    pack_nibbles(codes, block->qs);
    pack_fifth_bits(codes, block->qh);
  }
}

template <typename V>
void quantize_q4_1(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_1*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    const Affine scales = affine<V>(x + i, 15, codes);
    block->d = f32_to_f16(scales.d);
    block->m = f32_to_f16(scales.m);
    pack_nibbles(codes, block->qs);
  }
}

template <typename V>
void quantize_q5_1(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ5_1*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    const Affine scales = affine<V>(x + i, 31, codes);
    block->d = f32_to_f16(scales.d);
    block->m = f32_to_f16(scales.m);
    pack_nibbles(codes, block->qs);
    pack_fifth_bits(codes, block->qh);
  }
}

template <typename V>
void quantize_q8_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ8_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    typename V::F32 amax = V::abs(V::load(x + i));
    for (int j = V::kWidth; j < kBlock32; j += V::kWidth)
      amax = V::max(amax, V::abs(V::load(x + i + j)));
    const float d = V::reduce_max(amax) / 127.0f;
    block->d = f32_to_f16(d);
    const typename V::F32 id = V::set1(inverse(d));
    for (int j = 0; j < kBlock32; j += V::kWidth) {
      V::store_rounded(block->qs + j, V::mul(V::load(x + i + j), id));
    }
  }
}

template <typename V>
void quantize_f16(const float* x, void* blocks, int64_t n) {
  auto* to = static_cast<uint16_t*>(blocks);
  int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) V::to_f16(to + i, V::load(x + i));
  for (; i < n; ++i) to[i] = f32_to_f16(x[i]);
}

template <typename V>
void quantize_bf16(const float* x, void* blocks, int64_t n) {
  auto* to = static_cast<uint16_t*>(blocks);
  int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) V::to_bf16(to + i, V::load(x + i));
  for (; i < n; ++i) to[i] = f32_to_bf16(x[i]);
}

// F32 is a copy: the reference does it.
template <typename V>
constexpr KernelRow<QuantizeRow> kRows[] = {
    {kIdF16, quantize_f16<V>},
    {kIdBF16, quantize_bf16<V>},
    {kIdQ4_0, quantize_q4_0<V>},
    {kIdQ4_1, quantize_q4_1<V>},
    {kIdQ5_0, quantize_q5_0<V>},
    {kIdQ5_1, quantize_q5_1<V>},
    {kIdQ8_0, quantize_q8_0<V>},
    {kIdQ2_K, quantize_affine_k<V, Q2KLanes>},
    {kIdQ3_K, quantize_q3_k<V>},
    {kIdQ4_K, quantize_affine_k<V, Q4KLanes>},
    {kIdQ5_K, quantize_affine_k<V, Q5KLanes>},
    {kIdQ6_K, quantize_q6_k<V>},
};

template <typename V>
constexpr KernelTable<QuantizeRow> table_of(Isa isa) {
  return {isa, kRows<V>, sizeof(kRows<V>) / sizeof(kRows<V>[0])};
}

template <typename V>
constexpr KernelRow<QuantizeWeighted> kWeightedRows[] = {
    {kIdQ2_K, quantize_weighted_affine_k<V, Q2KLanes>},
    {kIdQ4_K, quantize_weighted_affine_k<V, Q4KLanes>},
    {kIdQ5_K, quantize_weighted_affine_k<V, Q5KLanes>},
};

template <typename V>
constexpr KernelTable<QuantizeWeighted> weighted_table_of(Isa isa) {
  return {isa, kWeightedRows<V>, sizeof(kWeightedRows<V>) / sizeof(kWeightedRows<V>[0])};
}

}  // namespace
}  // namespace nibble
