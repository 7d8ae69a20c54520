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

struct UnpackSuperBlock {
  static constexpr int kValues = kSuperBlock;
  static constexpr bool kSigned = false;
  static constexpr int kZero = 0;
  static constexpr bool kHasMin = true;
};

struct UnpackQ4_K : UnpackSuperBlock {
  using Block = BlockQ4_K;
  static constexpr int kGroup = 32;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float* min) {
    nibble_chunks<V>(block.qs, codes);
    unpack_head<V>(block.head, scale, min);
  }
};

struct UnpackQ5_K : UnpackSuperBlock {
  using Block = BlockQ5_K;
  static constexpr int kGroup = 32;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float* min) {
    nibble_chunks<V>(block.qs, codes);
    add_bits<V, 4>(V::load_bytes(block.qh), codes);
    unpack_head<V>(block.head, scale, min);
  }
};

struct UnpackQ2_K : UnpackSuperBlock {
  using Block = BlockQ2_K;
  static constexpr int kGroup = 16;

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
};

struct UnpackQ3_K : UnpackSuperBlock {
  using Block = BlockQ3_K;
  static constexpr int kGroup = 16;
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
};

}  // namespace
}  // namespace nibble
