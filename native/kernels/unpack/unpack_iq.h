#pragma once

#include <cstdint>

#include "formats/iq1_m.h"
#include "formats/iq1_s.h"
#include "formats/iq2_s.h"
#include "formats/iq2_xs.h"
#include "formats/iq2_xxs.h"
#include "formats/iq3_s.h"
#include "formats/iq3_xxs.h"
#include "kernels/unpack/unpack.h"

// The types with codebooks: what is found there, with its signs, is the signed code. A register is
// four points of 8 values, or eight of 4. Anonymous: see unpack.h.
namespace nibble {
namespace {

template <int kGroupValues>
struct UnpackPoints {
  static constexpr int kValues = kSuperBlock;
  static constexpr int kGroup = kGroupValues;
  static constexpr bool kSigned = true;
  static constexpr int kMost = 63;
  static constexpr int kZero = 0;
  static constexpr bool kHasMin = false;
  static constexpr bool kComesInEights = false;
  static constexpr bool kHasWholeScales = false;
};

// Eight scales (2 q + 1) d. The reference multiplies d by an odd half and then by a power of two:
// with d a half float both are exact, so the order does not matter.
template <typename V>
void odd_scales(uint64_t codes, float d, float* scale) {
  V::scale_eight(2 * codes + 0x0101010101010101u, d, scale);
}

// The same for sixteen of 4 bits.
template <typename V>
void odd_scales_of_nibbles(const uint8_t nibbles[8], float d, float* scale) {
  odd_scales<V>(spread_nibbles(nibbles), d, scale);
  odd_scales<V>(spread_nibbles(nibbles + 4), d, scale + 8);
}

// Points that have more than 8 bits, 32 of them.
struct Points {
  uint16_t at[32];

  template <typename V>
  static Points of(const uint8_t* low, typename V::Bytes high) {
    Points points;
    V::store_pairs(points.at, V::load_bytes(low), high);
    return points;
  }
};

// Bytes of eight signs, as words for a register each.
struct Signs {
  uint32_t of_register[8];

  // From seven of each eight: the number of minuses is even.
  template <typename V>
  static Signs from_sevens(typename V::Bytes sevens) {
    static constexpr int8_t kOdd[16] = {0, -1, -1, 0, -1, 0, 0, -1, -1, 0, 0, -1, 0, -1, -1, 0};
    const typename V::Bytes folded = V::exclusive(sevens, V::template right<4>(sevens));
    const typename V::Bytes odd = V::lookup16(kOdd, V::mask(folded, 0x0f));
    Signs signs;
    V::store_bytes(reinterpret_cast<uint8_t*>(signs.of_register),
                   V::either(sevens, V::mask(odd, 0x80)));
    return signs;
  }

  // From eight words of four sevens: signs_and_scale in codebook_values.h.
  template <typename V>
  static Signs from_words(typename V::Bytes words) {
    const auto low = V::either(V::mask_words(words, 0x7f),
                               V::mask_words(V::template left_words<1>(words), 0x7f00));
    const auto high = V::either(V::mask_words(V::template left_words<2>(words), 0x7f0000),
                                V::mask_words(V::template left_words<3>(words), 0x7f000000));
    return from_sevens<V>(V::either(low, high));
  }
};

struct UnpackIQ2_XXS : UnpackPoints<32> {
  using Block = BlockIQ2_XXS;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    const auto words = V::odd_words(reinterpret_cast<const uint8_t*>(block.groups));
    const Signs signs = Signs::from_words<V>(words);
    for (int g = 0; g < 8; ++g) {
      codes[g] = V::negate(V::join(kIq2XxsValues.at, block.groups[g].points), signs.of_register[g]);
    }
    V::scale_tops(words, V::half(block.d) * 0.125f, scale);
  }
};

struct UnpackIQ3_XXS : UnpackPoints<32> {
  using Block = BlockIQ3_XXS;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    const auto words = V::load_bytes(block.signs);
    const Signs signs = Signs::from_words<V>(words);
    for (int g = 0; g < 8; ++g) {
      codes[g] = V::negate(V::join(kIq3XxsValues.at, block.points + 8 * g), signs.of_register[g]);
    }
    V::scale_tops(words, V::half(block.d) * 0.25f, scale);
  }
};

struct UnpackIQ2_XS : UnpackPoints<16> {
  using Block = BlockIQ2_XS;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    const Signs signs = Signs::from_sevens<V>(V::above_bit_9(block.qs));
    for (int r = 0; r < kValues / 32; ++r) {
      const uint16_t* q = block.qs + 4 * r;
      const int points[4] = {q[0] & 511, q[1] & 511, q[2] & 511, q[3] & 511};
      codes[r] = V::negate(V::join(kIq2XsValues.at, points), signs.of_register[r]);
    }
    odd_scales_of_nibbles<V>(block.scales, V::half(block.d) * 0.125f, scale);
  }
};

struct UnpackIQ2_S : UnpackPoints<16> {
  using Block = BlockIQ2_S;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int r = 0; r < kValues / 32; ++r) {
      const uint32_t high = block.qh[r] << 8;
      const auto point = [&](int k) { return block.qs[4 * r + k] | (high >> 2 * k & 0x300); };
      const uint32_t points[4] = {point(0), point(1), point(2), point(3)};
      codes[r] = V::negate(V::join(kIq2SValues.at, points), load_word(block.signs + 4 * r));
    }
    odd_scales_of_nibbles<V>(block.scales, V::half(block.d) * 0.125f, scale);
  }
};

struct UnpackIQ3_S : UnpackPoints<32> {
  using Block = BlockIQ3_S;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int half = 0; half < 2; ++half) {
      const auto high = V::mask(V::spread(load_word(block.qh + 4 * half)), 1);
      const Points points = Points::of<V>(block.qs + 32 * half, high);
      for (int r = 0; r < 4; ++r) {
        codes[4 * half + r] = V::negate(V::join(kIq3SValues.at, points.at + 8 * r),
                                        load_word(block.signs + 16 * half + 4 * r));
      }
    }
    odd_scales<V>(spread_nibbles(block.scales), V::half(block.d), scale);
  }
};

// The upper bytes of eight numbers.
static inline uint64_t upper_bytes(const uint16_t numbers[8]) {
  const auto four = [numbers](int at) {
    uint64_t bytes = load_codes(reinterpret_cast<const uint8_t*>(numbers + at)) >> 8;
    bytes &= 0x00ff00ff00ff00ffu;
    bytes = (bytes | bytes >> 8) & 0x0000ffff0000ffffu;
    return (bytes | bytes >> 16) & 0xffffffffu;
  };
  return four(0) | four(4) << 32;
}

// Codes are -8, 0 and 8, shifted by 1 up or down, with 9 added.
struct UnpackIQ1_S : UnpackPoints<32> {
  using Block = BlockIQ1_S;
  static constexpr bool kSigned = false;
  static constexpr int kMost = 18;
  static constexpr int kZero = 9;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int r = 0; r < kValues / 32; ++r) {
      const uint32_t high = block.qh[r] << 8;
      const auto point = [&](int k) { return block.qs[4 * r + k] | (high >> 3 * k & 0x700); };
      const uint32_t points[4] = {point(0), point(1), point(2), point(3)};
      const auto less = static_cast<uint8_t>(block.qh[r] >> 15 != 0 ? -8 : -10);
      codes[r] = V::minus(V::join(kIq1Values.at, points), V::all(less));
    }
    const float d = V::half(block.d) * 0.125f;
    // Bytes of a sign and three bits of a scale.
    const uint64_t odd = (upper_bytes(block.qh) >> 3 & 0x0e0e0e0e0e0e0e0eu) + 0x0101010101010101u;
    V::scale_eight(odd, d, scale);
  }
};

// Codes as IQ1_S has them.
struct UnpackIQ1_M : UnpackPoints<16> {
  using Block = BlockIQ1_M;
  static constexpr bool kSigned = false;
  static constexpr int kMost = 18;
  static constexpr int kZero = 9;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    // A half byte is the high bits of a point under the bit that shifts it down.
    static constexpr int8_t kLess[16] = {-10, -10, -10, -10, -10, -10, -10, -10,
                                         -8,  -8,  -8,  -8,  -8,  -8,  -8,  -8};
    const typename V::Bytes high = V::nibbles_in_turn(block.qh);
    const Points points = Points::of<V>(block.qs, V::mask(high, 7));
    uint32_t less[kValues / 32];
    V::store_bytes(reinterpret_cast<uint8_t*>(less), V::lookup16(kLess, high));
    for (int r = 0; r < kValues / 32; ++r) {
      codes[r] = V::minus(V::join(kIq1Values.at, points.at + 4 * r), V::each_eight(less[r]));
    }
    const float d = V::half(iq1_m_d(block)) * 0.125f;
    for (int half = 0; half < 2; ++half) {
      odd_scales<V>(
          spread_threes(block.scales[2 * half]) | spread_threes(block.scales[2 * half + 1]) << 32,
          d, scale + 8 * half);
    }
  }
};

}  // namespace
}  // namespace nibble
