#pragma once

#include "formats/q1_0.h"
#include "formats/q2_0.h"
#include "formats/tq1_0.h"
#include "formats/tq2_0.h"
#include "kernels/unpack/unpack.h"

// The types of one and two bits, and of three values in less than two. Anonymous: see unpack.h.
namespace nibble {
namespace {

// One scale for a whole block, which is repeated for every group; codes are around 1.
struct UnpackFewBits {
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = false;
  static constexpr int kMost = 3;
  static constexpr int kZero = 1;
  static constexpr bool kHasMin = false;
  static constexpr bool kComesInEights = false;
  static constexpr bool kHasWholeScales = false;

  template <typename V>
  static void repeat(uint16_t d, int groups, float* scale) {
    const float x = V::half(d);
    for (int g = 0; g < groups; ++g) scale[g] = x;
  }
};

// A sign is code 2 or 0.
struct UnpackQ1_0 : UnpackFewBits {
  using Block = BlockQ1_0;
  static constexpr int kValues = 128;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int r = 0; r < kValues / 32; ++r)
      codes[r] = V::mask(V::spread(load_word(block.qs + 4 * r)), 2);
    repeat<V>(block.d, kValues / kGroup, scale);
  }
};

struct UnpackQ2_0 : UnpackFewBits {
  using Block = BlockQ2_0;
  static constexpr int kValues = 64;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int r = 0; r < kValues / 32; ++r) codes[r] = V::pairs_of_bits(block.qs + 8 * r);
    repeat<V>(block.d, kValues / kGroup, scale);
  }
};

// What the last three registers' bytes are multiplied with so that their digit comes first.
constexpr uint8_t kTernaryPowers[3][32] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
     3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3},
    {9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,
     27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27},
    {81, 81, 81, 81, 81, 81, 81, 81, 81, 81, 81, 81, 81, 81, 81, 81,
     1,  1,  1,  1,  3,  3,  3,  3,  9,  9,  9,  9,  27, 27, 27, 27}};

struct UnpackTQ1_0 : UnpackFewBits {
  using Block = BlockTQ1_0;
  static constexpr int kValues = 256;

  // The first digit of bytes: 3 b / 256.
  template <typename V>
  static typename V::Bytes digit(typename V::Bytes b) {
    return V::minus(V::minus(V::all(0), V::at_least(b, 86)), V::at_least(b, 171));
  }

  // See kTernaryParts: five digits of 32 bytes, five of 16 and four of 4 fill the registers.
  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    typename V::Bytes rest = V::load_bytes(block.digits);
    for (int k = 0; k < 5; ++k) {
      codes[k] = digit<V>(rest);
      rest = V::times(rest, V::all(3));
    }
    const auto* fours = reinterpret_cast<const int8_t(*)[4]>(block.digits);
    static constexpr uint8_t kTwice[8] = {8, 9, 10, 11, 8, 9, 10, 11};
    static constexpr uint8_t kLast[8] = {8, 9, 10, 11, 12, 12, 12, 12};
    const typename V::Bytes twice = V::join(fours, kTwice);
    const typename V::Bytes last = V::join(fours, kLast);
    codes[5] = digit<V>(V::times(twice, V::load_bytes(kTernaryPowers[0])));
    codes[6] = digit<V>(V::times(twice, V::load_bytes(kTernaryPowers[1])));
    codes[7] = digit<V>(V::times(last, V::load_bytes(kTernaryPowers[2])));
    repeat<V>(block.d, kValues / kGroup, scale);
  }
};

struct UnpackTQ2_0 : UnpackFewBits {
  using Block = BlockTQ2_0;
  static constexpr int kValues = 256;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int half = 0; half < 2; ++half, codes += 4) {
      const typename V::Bytes four = V::load_bytes(block.qs + 32 * half);
      codes[0] = V::mask(four, 3);
      codes[1] = V::mask(V::template right<2>(four), 3);
      codes[2] = V::mask(V::template right<4>(four), 3);
      codes[3] = V::mask(V::template right<6>(four), 3);
    }
    repeat<V>(block.d, kValues / kGroup, scale);
  }
};

}  // namespace
}  // namespace nibble
