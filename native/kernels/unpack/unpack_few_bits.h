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
  static constexpr int kZero = 1;
  static constexpr bool kHasMin = false;

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
    for (int r = 0; r < kValues / 32; ++r) codes[r] = V::mask(V::spread(block.qs + 4 * r), 2);
    repeat<V>(block.d, kValues / kGroup, scale);
  }
};

struct UnpackQ2_0 : UnpackFewBits {
  using Block = BlockQ2_0;
  static constexpr int kValues = 64;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    uint8_t bytes[kValues];
    unpack_q2_0(block, bytes);
    for (int r = 0; r < kValues / 32; ++r) codes[r] = V::load_bytes(bytes + 32 * r);
    repeat<V>(block.d, kValues / kGroup, scale);
  }
};

struct UnpackTQ1_0 : UnpackFewBits {
  using Block = BlockTQ1_0;
  static constexpr int kValues = 256;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    uint8_t bytes[kValues];
    unpack_tq1_0(block, bytes);
    for (int r = 0; r < kValues / 32; ++r) codes[r] = V::load_bytes(bytes + 32 * r);
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
