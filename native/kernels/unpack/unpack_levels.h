#pragma once

#include <cstdint>

#include "formats/fp4.h"
#include "formats/iq4_levels.h"
#include "formats/iq4_nl.h"
#include "formats/iq4_xs.h"
#include "formats/mxfp4.h"
#include "formats/nvfp4.h"
#include "kernels/unpack/unpack_k.h"

// The types whose codes of 4 bits stand for one of 16 integers. Anonymous: see unpack.h.
namespace nibble {
namespace {

template <typename V, typename U>
NIBBLE_INLINE typename V::TwoBytes levels_of_two(const int8_t (&levels)[16], const uint8_t* low,
                                                 const uint8_t* high) {
  const typename V::Bytes table = as_multiplied<V, U>(V::table16(levels));
  const typename V::TwoBytes codes = V::nibbles_of_two(low, high);
  return {V::entries(table, codes.first), V::entries(table, codes.second)};
}

struct UnpackIQ4_NL : UnpackAfterHalf<UnpackIQ4_NL, BlockIQ4_NL> {
  static constexpr bool kSigned = true;
  static constexpr int kMost = 128;

  template <typename V>
  static typename V::Bytes codes(const Block& block) {
    return V::lookup16(kIq4Levels, V::nibbles(block.qs));
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return levels_of_two<V, UnpackIQ4_NL>(kIq4Levels, blocks[j].qs, blocks[j + 4].qs);
  }
};

struct UnpackIQ4_XS : UnpackBlock32 {
  using Block = BlockIQ4_XS;
  static constexpr int kValues = kSuperBlock;
  static constexpr bool kSigned = true;
  static constexpr int kMost = 128;
  static constexpr bool kComesInEights = true;

  template <typename V>
  static NIBBLE_INLINE typename V::F8 eight_scales(const Block* block) {
    return V::scaled8(less_32(iq4_xs_scales(*block)), V::half(block->d));
  }
  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int g = 0; g < kValues / kGroup; ++g)
      codes[g] = V::lookup16(kIq4Levels, V::nibbles(block.qs + kGroup / 2 * g));
    V::scale_eight(less_32(iq4_xs_scales(block)), V::half(block.d), scale);
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return levels_of_two<V, UnpackIQ4_XS>(kIq4Levels, blocks->qs + 16 * j,
                                          blocks->qs + 16 * (j + 4));
  }
};

struct UnpackMXFP4 : UnpackBlock32 {
  using Block = BlockMXFP4;
  static constexpr bool kSigned = true;
  static constexpr int kMost = 12;
  static constexpr bool kComesInEights = true;

  template <typename V>
  static NIBBLE_INLINE typename V::F8 eight_scales(const Block* blocks) {
    uint64_t exponents = 0;
    for (int j = 0; j < 8; ++j) exponents |= static_cast<uint64_t>(blocks[j].e) << 8 * j;
    return V::eight_powers(exponents);
  }
  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    codes[0] = V::lookup16(kFp4Values, V::nibbles(block.qs));
    scale[0] = mxfp4_half_scale(block.e);
  }
  template <typename V, int j>
  static NIBBLE_INLINE typename V::TwoBytes two(const Block* blocks) {
    return levels_of_two<V, UnpackMXFP4>(kFp4Values, blocks[j].qs, blocks[j + 4].qs);
  }
};

struct UnpackNVFP4 {
  using Block = BlockNVFP4;
  static constexpr int kValues = 64;
  static constexpr int kGroup = 16;
  static constexpr bool kSigned = true;
  static constexpr int kMost = 12;
  static constexpr int kZero = 0;
  static constexpr bool kHasMin = false;
  static constexpr bool kComesInEights = false;
  static constexpr bool kHasWholeScales = false;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int r = 0; r < kValues / 32; ++r)
      codes[r] = V::lookup16(kFp4Values, V::nibbles_of_eights(block.qs + 16 * r));
    V::scale_halves(nvfp4_scales_as_f16(block.d), kNvfp4HalfScale, scale);
  }
};

}  // namespace
}  // namespace nibble
