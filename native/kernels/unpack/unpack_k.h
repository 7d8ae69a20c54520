#pragma once

#include <cstdint>

#include "formats/q2_k.h"
#include "formats/q3_k.h"
#include "formats/q4_k.h"
#include "formats/q5_k.h"
#include "kernels/unpack/unpack.h"

// The K types of 2 to 5 bits (Q6_K: unpack.h).
namespace nibble {
namespace {

// Bit kFrom of every byte as bit kTo.
template <typename V, int kFrom, int kTo>
typename V::Bytes move_bit(typename V::Bytes bytes) {
  if constexpr (kFrom > kTo) return V::mask(V::template right<kFrom - kTo>(bytes), 1 << kTo);
  const typename V::Bytes bit = V::mask(bytes, 1 << kFrom);
  if constexpr (kFrom < kTo) return V::template left<kTo - kFrom>(bit);
  return bit;
}

// Sets bit kTo of register kFrom of the codes from bit kFrom of the bytes `high`, for all eight.
template <typename V, int kTo, int kFrom = 0>
void add_bits(typename V::Bytes high, typename V::Bytes* codes) {
  codes[kFrom] = V::either(codes[kFrom], move_bit<V, kFrom, kTo>(high));
  if constexpr (kFrom < 7) add_bits<V, kTo, kFrom + 1>(high, codes);
}

// Registers 2 c and 2 c + 1 are the low and the high halves of 32 bytes.
template <typename V>
void nibble_chunks(const uint8_t* qs, typename V::Bytes* codes) {
  for (int chunk = 0; chunk < 4; ++chunk) {
    const typename V::Bytes both = V::load_bytes(qs + 32 * chunk);
    codes[2 * chunk] = V::mask(both, 0x0f);
    codes[2 * chunk + 1] = V::mask(V::template right<4>(both), 0x0f);
  }
}

// Of 32 bytes, bits 2 r and 2 r + 1 belong to register r of four.
template <typename V>
void pairs_of_bits(const uint8_t* qs, typename V::Bytes* codes) {
  for (int half = 0; half < 2; ++half, codes += 4) {
    const typename V::Bytes all = V::load_bytes(qs + 32 * half);
    codes[0] = V::mask(all, 0x03);
    codes[1] = V::mask(V::template right<2>(all), 0x03);
    codes[2] = V::mask(V::template right<4>(all), 0x03);
    codes[3] = V::mask(V::template right<6>(all), 0x03);
  }
}

template <typename V>
void unpack_head(const AffineScales& head, float* scale, float* min) {
  const AffineWords words = affine_words(head.packed);
  V::scale_eight(words.scales, V::half(head.d), scale);
  V::scale_eight(words.mins, -V::half(head.dmin), min);
}

// Groups j and j + 4 of nibble_chunks.
template <typename V, int j>
NIBBLE_INLINE typename V::TwoBytes nibbles_of_chunks(const uint8_t* qs) {
  const auto half = [=](int at) {
    const uint8_t* low = qs + 32 * (j / 2) + at;
    const typename V::Bytes both = V::load_two(low, low + 64);
    if constexpr (j % 2 == 0) return V::mask(both, 0x0f);
    return V::mask(V::template right<4>(both), 0x0f);
  };
  return {half(0), half(16)};
}

// Bytes shifted right, by no bit too.
template <typename V, int kBits>
typename V::Bytes down(typename V::Bytes bytes) {
  if constexpr (kBits > 0) return V::template right<kBits>(bytes);
  return bytes;
}

// The same of pairs_of_bits.
template <typename V, int j>
NIBBLE_INLINE typename V::TwoBytes pairs_of_halves(const uint8_t* qs) {
  const auto half = [=](int at) {
    return V::mask(down<V, 2 * j>(V::load_two(qs + at, qs + 32 + at)), 0x03);
  };
  return {half(0), half(16)};
}

// The same of add_bits.
template <typename V, int kTo, int j>
NIBBLE_INLINE typename V::TwoBytes with_bits(typename V::TwoBytes codes, const uint8_t* high) {
  const auto bit = [=](int at) {
    return V::mask(down<V, 4 + j - kTo>(V::upper_nibbles(high + at)), 1 << kTo);
  };
  return {V::either(codes.first, bit(0)), V::either(codes.second, bit(16))};
}

struct UnpackSuperBlock {
  static constexpr int kValues = kSuperBlock;
  static constexpr bool kSigned = false;
  static constexpr int kZero = 0;
  static constexpr bool kHasMin = true;
  static constexpr bool kComesInEights = true;
};

struct UnpackQ4_K : UnpackSuperBlock {
  using Block = BlockQ4_K;
  static constexpr int kGroup = 32;
  static constexpr int kMost = 15;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float* min) {
    nibble_chunks<V>(block.qs, codes);
    unpack_head<V>(block.head, scale, min);
  }

  template <typename V>
  static NIBBLE_INLINE void eight_scales(const Block* block, typename V::F8* scale) {
    scale[0] = V::scaled8(affine_words(block->head.packed).scales, V::half(block->head.d));
  }
  template <typename V>
  static NIBBLE_INLINE void eight_mins(const Block* block, typename V::F8* min) {
    min[0] = V::scaled8(affine_words(block->head.packed).mins, -V::half(block->head.dmin));
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return nibbles_of_chunks<V, j>(blocks->qs);
  }
};

struct UnpackQ5_K : UnpackSuperBlock {
  using Block = BlockQ5_K;
  static constexpr int kGroup = 32;
  static constexpr int kMost = 31;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float* min) {
    nibble_chunks<V>(block.qs, codes);
    add_bits<V, 4>(V::load_bytes(block.qh), codes);
    unpack_head<V>(block.head, scale, min);
  }

  template <typename V>
  static NIBBLE_INLINE void eight_scales(const Block* block, typename V::F8* scale) {
    scale[0] = V::scaled8(affine_words(block->head.packed).scales, V::half(block->head.d));
  }
  template <typename V>
  static NIBBLE_INLINE void eight_mins(const Block* block, typename V::F8* min) {
    min[0] = V::scaled8(affine_words(block->head.packed).mins, -V::half(block->head.dmin));
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return with_bits<V, 4, j>(nibbles_of_chunks<V, j>(blocks->qs), blocks->qh);
  }
};

struct UnpackQ2_K : UnpackSuperBlock {
  using Block = BlockQ2_K;
  static constexpr int kGroup = 16;
  static constexpr int kMost = 3;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float* min) {
    pairs_of_bits<V>(block.qs, codes);
    const float d = V::half(block.d);
    const float dmin = V::half(block.dmin);
    for (int g = 0; g < 16; g += 8) {
      const uint64_t both = load_codes(block.scales + g);
      V::scale_eight(both & kLowNibbles, d, scale + g);
      V::scale_eight(both >> 4 & kLowNibbles, -dmin, min + g);
    }
  }

  template <typename V>
  static NIBBLE_INLINE void eight_scales(const Block* block, typename V::F8* scale) {
    V::scale_sixteen(load_codes(block->scales) & kLowNibbles,
                     load_codes(block->scales + 8) & kLowNibbles, V::half(block->d), scale);
  }
  template <typename V>
  static NIBBLE_INLINE void eight_mins(const Block* block, typename V::F8* min) {
    const float dmin = -V::half(block->dmin);
    for (int e = 0; e < 2; ++e)
      min[e] = V::scaled8(load_codes(block->scales + 8 * e) >> 4 & kLowNibbles, dmin);
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return pairs_of_halves<V, j>(blocks->qs);
  }
};

struct UnpackQ3_K : UnpackSuperBlock {
  using Block = BlockQ3_K;
  static constexpr int kGroup = 16;
  static constexpr int kMost = 7;
  static constexpr int kZero = 4;
  static constexpr bool kHasMin = false;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    pairs_of_bits<V>(block.qs, codes);
    add_bits<V, 2>(V::load_bytes(block.hmask), codes);
    const float d = V::half(block.d);
    for (int g = 0; g < 16; g += 8)
      V::scale_eight(less_32(eight_q3_k_scales(block.scales, g)), d, scale + g);
  }

  template <typename V>
  static NIBBLE_INLINE void eight_scales(const Block* block, typename V::F8* scale) {
    V::scale_sixteen(less_32(eight_q3_k_scales(block->scales, 0)),
                     less_32(eight_q3_k_scales(block->scales, 8)), V::half(block->d), scale);
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return with_bits<V, 2, j>(pairs_of_halves<V, j>(blocks->qs), blocks->hmask);
  }
};

}  // namespace
}  // namespace nibble
