#pragma once

#include "kernels/dispatch.h"
#include "kernels/unpack/unpack.h"
#include "kernels/unpack/unpack_floats.h"
#include "kernels/vec_dot/vec_dot.h"

// The family as templates over an instruction set V (kernels/simd/dot_*.h) and a type's Unpack.
namespace nibble {
namespace {

// sum of scale * (codes . a) over groups in eight lanes, plus sum of min * (sum of a).
template <typename V, typename U>
float dot_row(const uint8_t* weights, const int8_t* a, const float* scale, const float* sum,
              int64_t n) {
  constexpr bool kSigned = U::kSigned || U::kZero != 0;
  typename V::F8 acc = V::zero8();
  float rest = 0.0f;
  const auto* block = reinterpret_cast<const typename U::Block*>(weights);
  for (int64_t i = 0; i < n; i += U::kValues, ++block) {
    typename V::Bytes codes[kRegistersOf<U>];
    float scales[kGroupsOf<U>];
    float mins[kGroupsOf<U>] = {};
    U::template unpack<V>(*block, codes, scales, mins);
    for (int j = 0; j < kRegistersOf<U>; ++j, a += 32, sum += 2) {
      const float d = *scale++;
      // The zero point goes first: large sums that cancel would lose digits.
      const typename V::F8 dots = V::template dot32<kSigned>(V::minus(codes[j], U::kZero), a);
      if constexpr (U::kGroup == kActBlock) {
        acc = V::fma8(dots, V::scale8(scales[j] * d), acc);
        if (U::kHasMin) rest += mins[j] * (sum[0] + sum[1]);
      } else {
        acc = V::fma8(dots, V::scale8(scales[2 * j] * d, scales[2 * j + 1] * d), acc);
        if (U::kHasMin) rest += mins[2 * j] * sum[0] + mins[2 * j + 1] * sum[1];
      }
    }
  }
  return V::sum8(acc) + rest;
}

template <typename V, typename U>
void vec_dot_blocks(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                    int64_t at, float* out) {
  const auto* row = static_cast<const uint8_t*>(weights);
  const int8_t* codes = x.codes + at * x.n;
  const float* scale = x.scale + at * (x.n / kActBlock);
  const float* sum = x.sum + at * (x.n / kActGroup);
  for (int64_t r = 0; r < rows; ++r, row += row_bytes) {
    out[r] = dot_row<V, U>(row, codes, scale, sum, x.n);
  }
}

// Four sums side by side, so that an addition does not wait for the one before.
template <typename V, typename Load>
void vec_dot_floats(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                    int64_t at, float* out) {
  constexpr int kSums = 4;
  const float* a = x.f32 + at * x.n;
  for (int64_t r = 0; r < rows; ++r) {
    const auto* row = reinterpret_cast<const typename Load::Value*>(
        static_cast<const uint8_t*>(weights) + r * row_bytes);
    typename V::F32 acc[kSums];
    for (auto& lanes : acc) lanes = V::set1(0.0f);
    int64_t i = 0;
    for (; i + kSums * V::kWidth <= x.n; i += kSums * V::kWidth) {
      for (int s = 0; s < kSums; ++s) {
        const int64_t k = i + s * V::kWidth;
        acc[s] = V::fma(Load::lanes(row + k), V::load(a + k), acc[s]);
      }
    }
    float sum = 0.0f;
    for (const auto& lanes : acc) sum += V::reduce_add(lanes);
    for (; i < x.n; ++i) sum += Load::one(row[i]) * a[i];
    out[r] = sum;
  }
}

template <typename V>
constexpr KernelRow<VecDot> kVecDotRows[] = {
    {kIdF32, vec_dot_floats<V, LoadF32<V>>},   {kIdF16, vec_dot_floats<V, LoadF16<V>>},
    {kIdBF16, vec_dot_floats<V, LoadBF16<V>>}, {kIdQ4_0, vec_dot_blocks<V, UnpackQ4_0>},
    {kIdQ4_1, vec_dot_blocks<V, UnpackQ4_1>},  {kIdQ5_0, vec_dot_blocks<V, UnpackQ5_0>},
    {kIdQ5_1, vec_dot_blocks<V, UnpackQ5_1>},  {kIdQ8_0, vec_dot_blocks<V, UnpackQ8_0>},
    {kIdQ6_K, vec_dot_blocks<V, UnpackQ6_K>},
};

template <typename V>
constexpr KernelTable<VecDot> vec_dot_table(Isa isa) {
  return {isa, kVecDotRows<V>, sizeof(kVecDotRows<V>) / sizeof(kVecDotRows<V>[0])};
}

}  // namespace
}  // namespace nibble
