#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/block32.h"
#include "formats/q4_0.h"
#include "formats/q4_1.h"
#include "formats/q5_0.h"
#include "formats/q5_1.h"
#include "formats/q6_k.h"
#include "formats/q8_0.h"
#include "kernels/dispatch.h"

// The family as templates over an instruction set V (kernels/simd). Products and sums are the
// scalar reference's, none is fused, so the values are the same.
namespace nibble {
namespace {

// x = (code - zero) * d.
template <typename V>
void scale_codes(const uint8_t codes[kBlock32], float zero, float d, float* x) {
  for (int j = 0; j < kBlock32; j += V::kWidth) {
    V::store(x + j, V::mul(V::sub(V::from_u8(codes + j), V::set1(zero)), V::set1(d)));
  }
}

// x = code * d + m.
template <typename V>
void shift_codes(const uint8_t codes[kBlock32], float d, float m, float* x) {
  for (int j = 0; j < kBlock32; j += V::kWidth) {
    V::store(x + j, V::add(V::mul(V::from_u8(codes + j), V::set1(d)), V::set1(m)));
  }
}

template <typename V>
void dequantize_q4_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ4_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    unpack_nibbles(block->qs, codes);
    scale_codes<V>(codes, 8.0f, f16_to_f32(block->d), x + i);
  }
}

template <typename V>
void dequantize_q5_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ5_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    unpack_nibbles(block->qs, codes);
    add_fifth_bits(block->qh, codes);
    scale_codes<V>(codes, 16.0f, f16_to_f32(block->d), x + i);
  }
}

template <typename V>
void dequantize_q4_1(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ4_1*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    unpack_nibbles(block->qs, codes);
    shift_codes<V>(codes, f16_to_f32(block->d), f16_to_f32(block->m), x + i);
  }
}

template <typename V>
void dequantize_q5_1(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ5_1*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    unpack_nibbles(block->qs, codes);
    add_fifth_bits(block->qh, codes);
    shift_codes<V>(codes, f16_to_f32(block->d), f16_to_f32(block->m), x + i);
  }
}

template <typename V>
void dequantize_q8_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ8_0*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    const typename V::F32 d = V::set1(f16_to_f32(block->d));
    for (int j = 0; j < kBlock32; j += V::kWidth)
      V::store(x + i + j, V::mul(V::from_i8(block->qs + j), d));
  }
}

template <typename V>
void dequantize_q6_k(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ6_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    const float d = f16_to_f32(block->d);
    uint8_t codes[kSuperBlock];
    unpack_q6_k(*block, codes);
    for (int j = 0; j < kSuperBlock; j += V::kWidth) {
      // V::kWidth divides 16, so a register never leaves its group.
      const typename V::F32 scale = V::set1(d * static_cast<float>(block->scales[j / 16]));
      V::store(x + i + j, V::mul(scale, V::sub(V::from_u8(codes + j), V::set1(32.0f))));
    }
  }
}

template <typename V>
void dequantize_f16(const void* blocks, float* x, int64_t n) {
  const auto* from = static_cast<const uint16_t*>(blocks);
  int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) V::store(x + i, V::from_f16(from + i));
  for (; i < n; ++i) x[i] = f16_to_f32(from[i]);
}

template <typename V>
void dequantize_bf16(const void* blocks, float* x, int64_t n) {
  const auto* from = static_cast<const uint16_t*>(blocks);
  int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) V::store(x + i, V::from_bf16(from + i));
  for (; i < n; ++i) x[i] = bf16_to_f32(from[i]);
}

// F32 is a copy: the reference does it.
template <typename V>
constexpr KernelRow<DequantizeRow> kRows[] = {
    {kIdF16, dequantize_f16<V>},   {kIdBF16, dequantize_bf16<V>}, {kIdQ4_0, dequantize_q4_0<V>},
    {kIdQ4_1, dequantize_q4_1<V>}, {kIdQ5_0, dequantize_q5_0<V>}, {kIdQ5_1, dequantize_q5_1<V>},
    {kIdQ8_0, dequantize_q8_0<V>}, {kIdQ6_K, dequantize_q6_k<V>},
};

template <typename V>
constexpr KernelTable<DequantizeRow> table_of(Isa isa) {
  return {isa, kRows<V>, sizeof(kRows<V>) / sizeof(kRows<V>[0])};
}

}  // namespace
}  // namespace nibble
