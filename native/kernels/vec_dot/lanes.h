#pragma once

#include <type_traits>

#include "base/inline.h"
#include "base/prefetch.h"
#include "kernels/dispatch.h"
#include "kernels/simd/unrolled.h"
#include "kernels/unpack/unpacks.h"
#include "kernels/vec_dot/vec_dot.h"

// The family as templates over an instruction set V (kernels/simd/dot_*.h) and a type's Unpack.
namespace nibble {
namespace {

// Weight rows at once: their sums do not wait for each other, and activations are loaded once. They
// lie a quarter of all rows apart, so that each is part of a long stream, as memory is read
// fastest.
constexpr int kRowsAtOnce = 4;

// Where two threads read as fast as the memory goes, asking for so many bytes more of each stream
// gains a little for types whose blocks take long; further ahead, or less far, it gained nothing.
constexpr int kAhead = 512;

constexpr int kEightGroups = 8 * kActBlock;

// Sums of kRows weight rows, in eight lanes: of scale * (codes . a) over groups, and of min * (sum
// of a); the mins that do not fill a register apart.
template <typename V, int kRows>
struct RowSums {
  typename V::F8 products[kRows];
  typename V::F8 others[kRows];
  typename V::F8 mins[kRows];
  double few_mins[kRows];
};

// An activation row from some value on.
struct ActivationPart {
  const int8_t* codes;
  const float* scale;
  const float* sum;

  void skip(int values) {
    codes += values;
    scale += values / kActBlock;
    sum += values / kActGroup;
  }
};

// Adds the products of 32 codes with 32 activations' codes to their sums of four.
template <typename V, bool kSigned>
NIBBLE_INLINE typename V::I8 dot32(typename V::I8 acc, typename V::Bytes codes, const int8_t* a) {
  return V::template dot_bytes<kSigned>(acc, codes,
                                        V::load_bytes(reinterpret_cast<const uint8_t*>(a)));
}
// Those of two times 32.
template <typename V, bool kSigned>
NIBBLE_INLINE typename V::I8 dot_two(typename V::I8 acc, typename V::TwoBytes codes,
                                     typename V::TwoBytes a) {
  if constexpr (V::kAddsTwo && !kSigned) return V::dot_two_unsigned(acc, codes, a);
  const typename V::I8 first = V::template dot_bytes<kSigned>(acc, codes.first, a.first);
  return V::template dot_bytes<kSigned>(first, codes.second, a.second);
}

// What integer sums start at: minus zero point * activations, the same for all rows.
template <typename V, typename U>
NIBBLE_INLINE typename V::I8 start_of(typename V::TwoBytes values) {
  const typename V::I8 none = V::zero_i8();
  if constexpr (kZeroOf<V, U> == 0) return none;
  const typename V::Bytes zero = V::all(kZeroOf<V, U>);
  return V::minus_i8(none, dot_two<V, false>(none, {zero, zero}, values));
}
template <typename V, typename U>
NIBBLE_INLINE typename V::I8 start_of(const int8_t* values) {
  const typename V::I8 none = V::zero_i8();
  if constexpr (kZeroOf<V, U> == 0) return none;
  return V::minus_i8(none, dot32<V, false>(none, V::all(kZeroOf<V, U>), values));
}

// Adds eight groups of 32 values of each row, two of each at a time: four lanes of a register for
// either.
template <typename V, typename U, int kRows>
NIBBLE_INLINE void add_eight(const uint8_t* weights, int64_t apart, const ActivationPart& a,
                             RowSums<V, kRows>* sums) {
  constexpr bool kSigned = U::kSigned && !V::kUnsignedOnly;
  const typename U::Block* blocks[kRows];
  typename V::F8 factors[kRows];
  const typename V::F8 act_scale = V::load8(a.scale);
  unrolled<kRows>([&](auto r) {
    blocks[r] = reinterpret_cast<const typename U::Block*>(weights + r * apart);
    factors[r] = V::mul8(U::template eight_scales<V>(blocks[r]), act_scale);
    if constexpr (U::kHasMin)
      sums->mins[r] =
          V::fma8(U::template eight_mins<V>(blocks[r]), V::add_pairs8(a.sum), sums->mins[r]);
  });
  unrolled<4>([&](auto j) {
    const auto* low = reinterpret_cast<const uint8_t*>(a.codes + kActBlock * j);
    const uint8_t* high = low + 4 * kActBlock;
    const typename V::TwoBytes values = {V::load_two(low, high), V::load_two(low + 16, high + 16)};
    const typename V::I8 start = start_of<V, U>(values);
    unrolled<kRows>([&](auto r) {
      const typename V::TwoBytes codes = U::template two<V, j>(blocks[r]);
      sums->products[r] = V::fma8(V::to_f8(dot_two<V, kSigned>(start, codes, values)),
                                  V::template of_fours<j>(factors[r]), sums->products[r]);
    });
  });
}

// Adds a super-block of each row. Sums of groups are weighted with their whole scales as integers,
// two groups at a time; d comes last.
template <typename V, typename U, int kRows>
NIBBLE_INLINE void add_super_block(const uint8_t* weights, int64_t apart, const ActivationPart& a,
                                   RowSums<V, kRows>* sums) {
  constexpr int kEights = kEightGroups / U::kGroup / 8;
  const typename V::F8 act_scale = V::load8(a.scale);
  typename V::I8 start[8];
  unrolled<8>([&](auto g) { start[g] = start_of<V, U>(a.codes + kActBlock * g); });
  unrolled<kRows>([&](auto r) {
    const auto& block = *reinterpret_cast<const typename U::Block*>(weights + r * apart);
    uint64_t eights[kEights];
    U::whole_scales(block, eights);
    const typename V::Scales scales = V::scales_of(eights);
    typename V::F8 sum = V::zero8();
    unrolled<4>([&](auto p) {
      const auto dots = [&](auto g) {
        return dot32<V, false>(start[g], U::template group<V, g>(block), a.codes + kActBlock * g);
      };
      const typename V::I8 pair =
          V::template weigh<p>(dots(std::integral_constant<int, 2 * p>()),
                               dots(std::integral_constant<int, 2 * p + 1>()), scales);
      sum = V::fma8(V::to_f8(pair), V::template of_pairs<p>(act_scale), sum);
    });
    sums->products[r] = V::fma8(sum, V::all_half(U::d(block)), sums->products[r]);
    if constexpr (U::kHasMin) {
      U::whole_mins(block, eights);
      typename V::F8 mins = V::zero8();
      unrolled<kEights>([&](auto e) {
        const typename V::F8 act_sum =
            kEights == 1 ? V::add_pairs8(a.sum) : V::load8(a.sum + 8 * e);
        mins = V::fma8(V::whole8(eights[e]), act_sum, mins);
      });
      // Minus dmin: its sign is the highest bit.
      sums->mins[r] = V::fma8(mins, V::all_half(U::dmin(block) ^ 0x8000), sums->mins[r]);
    }
  });
}

// Adds a block of each row, register after register.
template <typename V, typename U, int kRows>
NIBBLE_INLINE void add_block(const uint8_t* weights, int64_t apart, const ActivationPart& a,
                             RowSums<V, kRows>* sums) {
  constexpr bool kHasPairs = U::kGroup < kActBlock;
  constexpr bool kSigned = U::kSigned && !V::kUnsignedOnly;
  typename V::I8 start[kRegistersOf<U>];
  for (int j = 0; j < kRegistersOf<U>; ++j) start[j] = start_of<V, U>(a.codes + kActBlock * j);
  for (int r = 0; r < kRows; ++r) {
    const auto* block = reinterpret_cast<const typename U::Block*>(weights + r * apart);
    typename V::Bytes codes[kRegistersOf<U>];
    float scales[kGroupsOf<U>];
    float mins[kGroupsOf<U>];
    U::template unpack<V>(*block, codes, scales, mins);
    for (int j = 0; j < kRegistersOf<U>; ++j) {
      const typename V::I8 dots =
          dot32<V, kSigned>(start[j], as_multiplied<V, U>(codes[j]), a.codes + 32 * j);
      const typename V::F8 weight = kHasPairs ? V::pair8(scales + 2 * j) : V::set8(scales[j]);
      // Where a block has more than one register, the sums of two of them take turns: an addition
      // waits for the one before.
      typename V::F8& chain = j % 2 == 0 ? sums->products[r] : sums->others[r];
      chain = V::fma8(V::to_f8(dots), V::mul8(weight, V::set8(a.scale[j])), chain);
    }
    for (int g = 0; U::kHasMin && g < kGroupsOf<U>; ++g)
      sums->few_mins[r] += mins[g] * (kHasPairs ? a.sum[g] : a.sum[2 * g] + a.sum[2 * g + 1]);
  }
}

// out[r * step] = row r . a, for rows that are `apart` bytes apart.
template <typename V, typename U, int kRows>
void dot_rows(const uint8_t* weights, int64_t apart, ActivationPart a, int64_t n, float* out,
              int64_t step) {
  constexpr bool kEights = U::kComesInEights && V::kTakesEights;
  constexpr bool kWhole = U::kHasWholeScales && V::kTakesEights;
  constexpr int kBlocks = kEights ? kEightGroups / U::kValues : 1;
  constexpr int kBytes = kBlocks * static_cast<int>(sizeof(typename U::Block));
  RowSums<V, kRows> sums;
  unrolled<kRows>([&](auto r) {
    sums.products[r] = sums.others[r] = sums.mins[r] = V::zero8();
    sums.few_mins[r] = 0.0;
  });
  int64_t left = n;
  for (; left >= kBlocks * U::kValues; left -= kBlocks * U::kValues) {
    unrolled<kRows>([&](auto r) {
      for (int k = 0; k < kBytes; k += 64) prefetch(weights + r * apart + kAhead + k);
    });
    if constexpr (kEights) {
      add_eight<V, U, kRows>(weights, apart, a, &sums);
    } else if constexpr (kWhole) {
      add_super_block<V, U, kRows>(weights, apart, a, &sums);
    } else {
      add_block<V, U, kRows>(weights, apart, a, &sums);
    }
    weights += kBytes;
    a.skip(kBlocks * U::kValues);
  }
  for (; kBlocks > 1 && left > 0; left -= U::kValues) {
    add_block<V, U, kRows>(weights, apart, a, &sums);
    weights += sizeof(typename U::Block);
    a.skip(U::kValues);
  }
  unrolled<kRows>([&](auto r) {
    float* to = out + r * step;
    *to = V::sum8(V::add8(sums.products[r], sums.others[r]));
    if (U::kHasMin) *to += V::sum8(sums.mins[r]) + static_cast<float>(sums.few_mins[r]);
  });
}

template <typename V, typename U>
void vec_dot_blocks(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                    int64_t at, float* out) {
  const auto* row = static_cast<const uint8_t*>(weights);
  const ActivationPart a = {x.codes + at * x.n, x.scale + at * (x.n / kActBlock),
                            x.sum + at * (x.n / kActGroup)};
  const int64_t step = rows / kRowsAtOnce;
  for (int64_t r = 0; r < step; ++r)
    dot_rows<V, U, kRowsAtOnce>(row + r * row_bytes, step * row_bytes, a, x.n, out + r, step);
  for (int64_t r = kRowsAtOnce * step; r < rows; ++r)
    dot_rows<V, U, 1>(row + r * row_bytes, row_bytes, a, x.n, out + r, 1);
}

// out[r * step] = row r . a, for rows that are `apart` bytes apart. Two sums of each row, so that
// an addition does not wait for the one before.
template <typename V, typename Load, int kRows>
void dot_float_rows(const uint8_t* weights, int64_t apart, const float* a, int64_t n, float* out,
                    int64_t step) {
  constexpr int kSums = 2;
  constexpr int kBytes = kSums * V::kWidth * static_cast<int>(sizeof(typename Load::Value));
  const auto row = [=](int64_t r, int64_t i) {
    return reinterpret_cast<const typename Load::Value*>(weights + r * apart) + i;
  };
  typename V::F32 sums[kRows][kSums];
  unrolled<kRows>([&](auto r) { sums[r][0] = sums[r][1] = V::set1(0.0f); });
  int64_t i = 0;
  for (; i + kSums * V::kWidth <= n; i += kSums * V::kWidth) {
    unrolled<kRows>([&](auto r) {
      const auto* from = reinterpret_cast<const uint8_t*>(row(r, i));
      for (int k = 0; k < kBytes; k += 64) prefetch(from + kAhead + k);
    });
    unrolled<kSums>([&](auto s) {
      const typename V::F32 values = V::load(a + i + s * V::kWidth);
      unrolled<kRows>([&](auto r) {
        sums[r][s] = V::fma(Load::lanes(row(r, i + s * V::kWidth)), values, sums[r][s]);
      });
    });
  }
  unrolled<kRows>([&](auto r) {
    float sum = V::reduce_add(V::add(sums[r][0], sums[r][1]));
    for (int64_t k = i; k < n; ++k) sum += Load::one(*row(r, k)) * a[k];
    out[r * step] = sum;
  });
}

template <typename V, typename Load>
void vec_dot_floats(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                    int64_t at, float* out) {
  const auto* row = static_cast<const uint8_t*>(weights);
  const float* a = x.f32 + at * x.n;
  const int64_t step = rows / kRowsAtOnce;
  for (int64_t r = 0; r < step; ++r) {
    dot_float_rows<V, Load, kRowsAtOnce>(row + r * row_bytes, step * row_bytes, a, x.n, out + r,
                                         step);
  }
  for (int64_t r = kRowsAtOnce * step; r < rows; ++r)
    dot_float_rows<V, Load, 1>(row + r * row_bytes, row_bytes, a, x.n, out + r, 1);
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
