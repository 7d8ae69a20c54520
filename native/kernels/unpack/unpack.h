#pragma once

#include <cstdint>

#include "base/inline.h"
#include "formats/block32.h"
#include "formats/q4_0.h"
#include "formats/q4_1.h"
#include "formats/q5_0.h"
#include "formats/q5_1.h"
#include "formats/q8_0.h"

// Block -> codes in registers, scales and mins: the only thing that products and dequantize_row
// have to know of a type. A value is scale * (code - kZero) + min, with a scale (and with kHasMin a
// min) for every kGroup values: those floats are the scalar reference's, bit for bit. Codes are 0
// .. kMost, or with kSigned -kMost .. kMost.
//
// Written once over the bytes of an instruction set V (kernels/simd/dot_*.h). Anonymous: every file
// of an instruction set compiles its own copy.
namespace nibble {
namespace {

// Where only unsigned codes can be multiplied, signed ones get 128 more.
template <typename V, typename U>
constexpr bool kShifted = V::kUnsignedOnly && U::kSigned;

template <typename V, typename U>
typename V::Bytes as_multiplied(typename V::Bytes codes) {
  return kShifted<V, U> ? V::exclusive(codes, V::all(128)) : codes;
}

// What the types of 32 values have in common.
struct UnpackBlock32 {
  static constexpr int kValues = 32;
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = false;
  static constexpr int kMost = 15;
  static constexpr int kZero = 0;
  static constexpr bool kHasMin = false;
  static constexpr bool kComesInEights = false;
  static constexpr bool kHasWholeScales = false;
};

// Of those, the ones that have an f16 scale (and a min after it) before codes that Self reads. They
// also come in eights (as all with kComesInEights do): eight groups' scales, and mins, at once; and
// of groups j and j + 4 first values 0 .. 15 of both, then values 16 .. 31, as they are multiplied.
template <typename Self, typename BlockOfSelf>
struct UnpackAfterHalf : UnpackBlock32 {
  using Block = BlockOfSelf;
  static constexpr bool kComesInEights = true;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float* min) {
    codes[0] = Self::template codes<V>(block);
    scale[0] = V::half(block.d);
    if constexpr (Self::kHasMin) min[0] = V::half(block.m);
  }
  template <typename V>
  static NIBBLE_INLINE typename V::F8 eight_scales(const Block* blocks) {
    return V::template eight_halves<sizeof(Block)>(&blocks->d);
  }
  template <typename V>
  static NIBBLE_INLINE typename V::F8 eight_mins(const Block* blocks) {
    return V::template eight_halves<sizeof(Block)>(&blocks->m);
  }
};

struct UnpackQ4_0 : UnpackAfterHalf<UnpackQ4_0, BlockQ4_0> {
  static constexpr int kZero = 8;

  template <typename V>
  static typename V::Bytes codes(const Block& block) {
    return V::nibbles(block.qs);
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return V::nibbles_of_two(blocks[j].qs, blocks[j + 4].qs);
  }
};

struct UnpackQ4_1 : UnpackAfterHalf<UnpackQ4_1, BlockQ4_1> {
  static constexpr bool kHasMin = true;

  template <typename V>
  static typename V::Bytes codes(const Block& block) {
    return V::nibbles(block.qs);
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return V::nibbles_of_two(blocks[j].qs, blocks[j + 4].qs);
  }
};

template <typename V>
typename V::Bytes five_bits(const uint8_t* qs, const uint8_t* qh) {
  return V::either(V::nibbles(qs), V::mask(V::spread(load_word(qh)), 0x10));
}

// The same of two blocks: see UnpackAfterHalf.
template <typename V, typename Block>
NIBBLE_INLINE typename V::TwoBytes five_bits_of_two(const Block& low, const Block& high) {
  const uint32_t a = load_word(low.qh);
  const uint32_t b = load_word(high.qh);
  const typename V::TwoBytes nibbles = V::nibbles_of_two(low.qs, high.qs);
  return {V::add_where(nibbles.first, (a & 0xffff) | b << 16, 0x10),
          V::add_where(nibbles.second, a >> 16 | (b & 0xffff0000u), 0x10)};
}

struct UnpackQ5_0 : UnpackAfterHalf<UnpackQ5_0, BlockQ5_0> {
  static constexpr int kMost = 31;
  static constexpr int kZero = 16;

  template <typename V>
  static typename V::Bytes codes(const Block& block) {
    return five_bits<V>(block.qs, block.qh);
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return five_bits_of_two<V>(blocks[j], blocks[j + 4]);
  }
};

struct UnpackQ5_1 : UnpackAfterHalf<UnpackQ5_1, BlockQ5_1> {
  static constexpr int kMost = 31;
  static constexpr bool kHasMin = true;

  template <typename V>
  static typename V::Bytes codes(const Block& block) {
    return five_bits<V>(block.qs, block.qh);
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return five_bits_of_two<V>(blocks[j], blocks[j + 4]);
  }
};

struct UnpackQ8_0 : UnpackAfterHalf<UnpackQ8_0, BlockQ8_0> {
  static constexpr bool kSigned = true;
  static constexpr int kMost = 128;

  template <typename V>
  static typename V::Bytes codes(const Block& block) {
    return V::load_bytes(reinterpret_cast<const uint8_t*>(block.qs));
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    const auto half = [=](int at) {
      return as_multiplied<V, UnpackQ8_0>(
          V::load_two(reinterpret_cast<const uint8_t*>(blocks[j].qs + at),
                      reinterpret_cast<const uint8_t*>(blocks[j + 4].qs + at)));
    };
    return {half(0), half(16)};
  }
};

// What products take from every code. It costs nothing: integer sums start at minus zero * (sum of
// the activations' codes).
template <typename V, typename U>
constexpr int kZeroOf = U::kZero + (kShifted<V, U> ? 128 : 0);

// Registers of codes, and scales (and mins), of a block.
template <typename U>
constexpr int kRegistersOf = U::kValues / 32;
template <typename U>
constexpr int kGroupsOf = U::kValues / U::kGroup;

}  // namespace
}  // namespace nibble
