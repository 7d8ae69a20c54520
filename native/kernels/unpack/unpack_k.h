#pragma once

#include <cstdint>

#include "formats/q2_k.h"
#include "formats/q3_k.h"
#include "formats/q4_k.h"
#include "formats/q5_k.h"
#include "formats/q6_k.h"
#include "kernels/simd/unrolled.h"
#include "kernels/unpack/unpack.h"

// The K types. Anonymous: see unpack.h.
namespace nibble {
namespace {

// Bits from kFrom on of every byte as bits from kTo on, where kMask leaves them.
template <typename V, int kFrom, int kTo, uint8_t kMask>
NIBBLE_INLINE typename V::Bytes move_bits(typename V::Bytes bytes) {
  if constexpr (kFrom > kTo) bytes = V::template right<kFrom - kTo>(bytes);
  if constexpr (kFrom < kTo) bytes = V::template left<kTo - kFrom>(bytes);
  return V::mask(bytes, kMask);
}

// Half kHalf of each of 32 bytes.
template <typename V, int kHalf>
NIBBLE_INLINE typename V::Bytes nibbles_at(const uint8_t* qs) {
  return move_bits<V, 4 * kHalf, 0, 0x0f>(V::load_bytes(qs));
}

// Pair kPair of bits of each of 32 bytes.
template <typename V, int kPair>
NIBBLE_INLINE typename V::Bytes pairs_at(const uint8_t* qs) {
  return move_bits<V, 2 * kPair, 0, 0x03>(V::load_bytes(qs));
}

// Eight groups of 32 values, whose codes group<g> gives. The scales of all groups (of 32 or of 16)
// are whole numbers times one f16 d, and mins times one f16 dmin.
template <typename Self, typename BlockOfSelf>
struct UnpackSuperBlock {
  using Block = BlockOfSelf;
  static constexpr int kValues = kSuperBlock;
  static constexpr bool kSigned = false;
  static constexpr int kZero = 0;
  static constexpr bool kHasMin = true;
  static constexpr bool kComesInEights = false;
  static constexpr bool kHasWholeScales = true;

  template <typename V>
  static NIBBLE_INLINE void unpack(const Block& block, typename V::Bytes* codes, float* scale,
                                   float* min) {
    unrolled<8>([&](auto g) { codes[g] = Self::template group<V, g>(block); });
    uint64_t eights[kSuperBlock / 8 / Self::kGroup];
    Self::whole_scales(block, eights);
    const float d = V::half(Self::d(block));
    for (const uint64_t eight : eights) {
      V::scale_eight(eight, d, scale);
      scale += 8;
    }
    if constexpr (Self::kHasMin) {
      Self::whole_mins(block, eights);
      const float dmin = -V::half(Self::dmin(block));
      for (const uint64_t eight : eights) {
        V::scale_eight(eight, dmin, min);
        min += 8;
      }
    }
  }
};

// Q4_K and Q5_K: see AffineScales.
template <typename Self, typename Block>
struct UnpackAffine : UnpackSuperBlock<Self, Block> {
  static constexpr int kGroup = 32;

  static uint16_t d(const Block& block) { return block.head.d; }
  static uint16_t dmin(const Block& block) { return block.head.dmin; }
  static void whole_scales(const Block& block, uint64_t* eights) {
    eights[0] = affine_words(block.head.packed).scales;
  }
  static void whole_mins(const Block& block, uint64_t* eights) {
    eights[0] = affine_words(block.head.packed).mins;
  }
};

struct UnpackQ4_K : UnpackAffine<UnpackQ4_K, BlockQ4_K> {
  static constexpr int kMost = 15;

  template <typename V, int g>
  static NIBBLE_INLINE typename V::Bytes group(const Block& block) {
    return nibbles_at<V, g % 2>(block.qs + 32 * (g / 2));
  }
};

struct UnpackQ5_K : UnpackAffine<UnpackQ5_K, BlockQ5_K> {
  static constexpr int kMost = 31;

  template <typename V, int g>
  static NIBBLE_INLINE typename V::Bytes group(const Block& block) {
    return V::either(nibbles_at<V, g % 2>(block.qs + 32 * (g / 2)),
                     move_bits<V, g, 4, 0x10>(V::load_bytes(block.qh)));
  }
};

struct UnpackQ2_K : UnpackSuperBlock<UnpackQ2_K, BlockQ2_K> {
  static constexpr int kGroup = 16;
  static constexpr int kMost = 3;

  static uint16_t d(const Block& block) { return block.d; }
  static uint16_t dmin(const Block& block) { return block.dmin; }
  static void whole_scales(const Block& block, uint64_t* eights) {
    for (int e = 0; e < 2; ++e) eights[e] = load_codes(block.scales + 8 * e) & kLowNibbles;
  }
  static void whole_mins(const Block& block, uint64_t* eights) {
    for (int e = 0; e < 2; ++e) eights[e] = load_codes(block.scales + 8 * e) >> 4 & kLowNibbles;
  }
  template <typename V, int g>
  static NIBBLE_INLINE typename V::Bytes group(const Block& block) {
    return pairs_at<V, g % 4>(block.qs + 32 * (g / 4));
  }
};

// 32 less in each of eight bytes of 0 .. 63.
static inline uint64_t less_32(uint64_t bytes) {
  return (bytes + 0x6060606060606060u) ^ 0x8080808080808080u;
}

struct UnpackQ3_K : UnpackSuperBlock<UnpackQ3_K, BlockQ3_K> {
  static constexpr int kGroup = 16;
  static constexpr int kMost = 7;
  static constexpr int kZero = 4;
  static constexpr bool kHasMin = false;

  static uint16_t d(const Block& block) { return block.d; }
  static void whole_scales(const Block& block, uint64_t* eights) {
    for (int e = 0; e < 2; ++e) eights[e] = less_32(eight_q3_k_scales(block.scales, 8 * e));
  }
  template <typename V, int g>
  static NIBBLE_INLINE typename V::Bytes group(const Block& block) {
    return V::either(pairs_at<V, g % 4>(block.qs + 32 * (g / 4)),
                     move_bits<V, g, 2, 0x04>(V::load_bytes(block.hmask)));
  }
};

struct UnpackQ6_K : UnpackSuperBlock<UnpackQ6_K, BlockQ6_K> {
  static constexpr int kGroup = 16;
  static constexpr int kMost = 63;
  static constexpr int kZero = 32;
  static constexpr bool kHasMin = false;

  static uint16_t d(const Block& block) { return block.d; }
  static void whole_scales(const Block& block, uint64_t* eights) {
    const auto* scales = reinterpret_cast<const uint8_t*>(block.scales);
    for (int e = 0; e < 2; ++e) eights[e] = load_codes(scales + 8 * e);
  }
  // Of 128 values, number 32 q + l has its low bits in ql[32 (q % 2) + l], in the upper half from
  // q = 2 on, and its high bits in qh[l] at 2 q.
  template <typename V, int g>
  static NIBBLE_INLINE typename V::Bytes group(const Block& block) {
    constexpr int kPart = g / 4;
    constexpr int q = g % 4;
    return V::either(nibbles_at<V, q / 2>(block.ql + 64 * kPart + 32 * (q % 2)),
                     move_bits<V, 2 * q, 4, 0x30>(V::load_bytes(block.qh + 32 * kPart)));
  }
};

}  // namespace
}  // namespace nibble
