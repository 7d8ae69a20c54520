#pragma once

#include <cstdint>

#include "kernels/dispatch.h"
#include "kernels/unpack/unpacks.h"

// The family as templates over an instruction set V (kernels/simd/dot_*.h) and a type's Unpack.
// Products and sums are the scalar reference's, none is fused, so the values are the same.
namespace nibble {
namespace {

// x = scale * (code - zero) + min. A register of floats never leaves its group.
template <typename V, typename U>
void dequantize_blocks(const void* blocks, float* x, int64_t n) {
  static_assert(U::kGroup % V::kWidth == 0, "one scale for a register");
  const auto* block = static_cast<const typename U::Block*>(blocks);
  for (int64_t i = 0; i < n; i += U::kValues, ++block) {
    typename V::Bytes codes[kRegistersOf<U>];
    float scale[kGroupsOf<U>];
    float min[kGroupsOf<U>];
    U::template unpack<V>(*block, codes, scale, min);
    for (int r = 0; r < kRegistersOf<U>; ++r) {
      uint8_t bytes[32];
      V::store_bytes(bytes, V::minus(codes[r], V::all(U::kZero)));
      for (int j = 0; j < 32; j += V::kWidth, x += V::kWidth) {
        const int g = (32 * r + j) / U::kGroup;
        const typename V::F32 code = V::from_i8(reinterpret_cast<const int8_t*>(bytes) + j);
        const typename V::F32 value = V::mul(code, V::set1(scale[g]));
        V::store(x, U::kHasMin ? V::add(value, V::set1(min[g])) : value);
      }
    }
  }
}

template <typename V, typename Load>
void dequantize_floats(const void* blocks, float* x, int64_t n) {
  const auto* from = static_cast<const typename Load::Value*>(blocks);
  int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) V::store(x + i, Load::lanes(from + i));
  for (; i < n; ++i) x[i] = Load::one(from[i]);
}

// F32 is a copy: the reference does it.
template <typename V>
constexpr KernelRow<DequantizeRow> kDequantizeRowRows[] = {
    {kIdF16, dequantize_floats<V, LoadF16<V>>},
    {kIdBF16, dequantize_floats<V, LoadBF16<V>>},
#define NIBBLE_UNPACK(type) {kId##type, dequantize_blocks<V, Unpack##type>},
#include "kernels/unpack/unpacks.inc"
#undef NIBBLE_UNPACK
};

template <typename V>
constexpr KernelTable<DequantizeRow> dequantize_row_table(Isa isa) {
  return {isa, kDequantizeRowRows<V>,
          sizeof(kDequantizeRowRows<V>) / sizeof(kDequantizeRowRows<V>[0])};
}

}  // namespace
}  // namespace nibble
