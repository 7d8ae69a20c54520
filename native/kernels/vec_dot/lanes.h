#pragma once

#include "base/prefetch.h"
#include "kernels/dispatch.h"
#include "kernels/unpack/unpacks.h"
#include "kernels/vec_dot/vec_dot.h"

// The family as templates over an instruction set V (kernels/simd/dot_*.h) and a type's Unpack.
namespace nibble {
namespace {

// Weight rows side by side: their sums do not wait for each other, and activations are loaded once.
constexpr int kRowsAtOnce = 4;

// out[r] = sum of scale * (codes . a) over groups, in eight lanes, plus sum of min * (sum of a).
template <typename V, typename U, int kRows>
void dot_rows(const uint8_t* weights, int64_t row_bytes, const int8_t* a, const float* scale,
              const float* sum, int64_t n, float* out) {
  constexpr bool kHasPairs = U::kGroup < kActBlock;
  // Sums of one row side by side: an addition waits for the one before.
  constexpr int kChains = kRegistersOf < U >> 1 ? 2 : 1;
  // Registers of mins of a block; smaller blocks have one min.
  constexpr int kEights = U::kHasMin ? kGroupsOf<U> / 8 : 0;
  const uint8_t* next = weights + kRows * row_bytes;
  typename V::F8 acc[kRows][kChains];
  typename V::F8 rest8[kRows];
  float rest[kRows] = {};
  for (auto& chains : acc) {
    for (auto& lanes : chains) lanes = V::zero8();
  }
  for (auto& lanes : rest8) lanes = V::zero8();
  for (int64_t i = 0; i < n / U::kValues; ++i) {
    // Rows side by side are no stream that the processor foresees: the next ones are asked for
    // here.
    for (size_t k = 0; k < kRows * sizeof(typename U::Block); k += 64)
      prefetch(next + i * kRows * static_cast<int64_t>(sizeof(typename U::Block)) + k);
    // Integer sums start at minus zero point * activations: it is the same for all rows.
    typename V::I8 start[kRegistersOf<U>];
    for (int j = 0; j < kRegistersOf<U>; ++j) {
      start[j] = V::zero_i8();
      if (kZeroOf<V, U> != 0) {
        start[j] = V::minus_i8(
            start[j], V::template dot32<false>(V::zero_i8(), V::all(kZeroOf<V, U>), a + 32 * j));
      }
    }
    // Sums of the groups' activations, likewise.
    typename V::F8 sums[kEights + 1];
    for (int e = 0; e < kEights; ++e)
      sums[e] = kHasPairs ? V::load8(sum + 8 * e) : V::add_pairs8(sum + 16 * e);
    for (int r = 0; r < kRows; ++r) {
      const auto* block = reinterpret_cast<const typename U::Block*>(weights + r * row_bytes) + i;
      typename V::Bytes codes[kRegistersOf<U>];
      float scales[kGroupsOf<U>];
      float mins[kGroupsOf<U>] = {};
      U::template unpack<V>(*block, codes, scales, mins);
      for (int j = 0; j < kRegistersOf<U>; ++j) {
        const typename V::I8 dots =
            V::template dot32 < U::kSigned &&
            !V::kUnsignedOnly > (start[j], as_multiplied<V, U>(codes[j]), a + 32 * j);
        const typename V::F8 weight = kHasPairs ? V::pair8(scales + 2 * j) : V::set8(scales[j]);
        typename V::F8& chain = acc[r][j % kChains];
        chain = V::fma8(V::to_f8(dots), V::mul8(weight, V::set8(scale[j])), chain);
        if (!U::kHasMin || kEights > 0) continue;
        rest[r] += mins[j] * (sum[2 * j] + sum[2 * j + 1]);
      }
      for (int e = 0; e < kEights; ++e)
        rest8[r] = V::fma8(V::load8(mins + 8 * e), sums[e], rest8[r]);
    }
    a += U::kValues;
    scale += kRegistersOf<U>;
    sum += 2 * kRegistersOf<U>;
  }
  for (int r = 0; r < kRows; ++r) {
    for (const auto& lanes : acc[r]) rest[r] += V::sum8(lanes);
    out[r] = rest[r] + V::sum8(rest8[r]);
  }
}

template <typename V, typename U>
void vec_dot_blocks(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                    int64_t at, float* out) {
  const auto* row = static_cast<const uint8_t*>(weights);
  const int8_t* codes = x.codes + at * x.n;
  const float* scale = x.scale + at * (x.n / kActBlock);
  const float* sum = x.sum + at * (x.n / kActGroup);
  int64_t r = 0;
  for (; r + kRowsAtOnce <= rows; r += kRowsAtOnce)
    dot_rows<V, U, kRowsAtOnce>(row + r * row_bytes, row_bytes, codes, scale, sum, x.n, out + r);
  for (; r < rows; ++r)
    dot_rows<V, U, 1>(row + r * row_bytes, row_bytes, codes, scale, sum, x.n, out + r);
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
    {kIdF32, vec_dot_floats<V, LoadF32<V>>},
    {kIdF16, vec_dot_floats<V, LoadF16<V>>},
    {kIdBF16, vec_dot_floats<V, LoadBF16<V>>},
#define NIBBLE_UNPACK(type) {kId##type, vec_dot_blocks<V, Unpack##type>},
#include "kernels/unpack/unpacks.inc"
#undef NIBBLE_UNPACK
};

template <typename V>
constexpr KernelTable<VecDot> vec_dot_table(Isa isa) {
  return {isa, kVecDotRows<V>, sizeof(kVecDotRows<V>) / sizeof(kVecDotRows<V>[0])};
}

}  // namespace
}  // namespace nibble
