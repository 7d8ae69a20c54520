#pragma once

#include <cstdint>

#include "formats/fp4.h"
#include "formats/iq4_levels.h"
#include "formats/iq4_nl.h"
#include "formats/iq4_xs.h"
#include "formats/mxfp4.h"
#include "formats/nvfp4.h"
#include "kernels/unpack/unpack.h"

// The types whose codes of 4 bits stand for one of 16 integers. Anonymous: see unpack.h.
namespace nibble {
namespace {

struct UnpackIQ4_NL : UnpackBlock32 {
  using Block = BlockIQ4_NL;
  static constexpr bool kSigned = true;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    codes[0] = V::lookup16(kIq4Levels, V::nibbles(block.qs));
    scale[0] = V::half(block.d);
  }
};

struct UnpackIQ4_XS : UnpackBlock32 {
  using Block = BlockIQ4_XS;
  static constexpr int kValues = kSuperBlock;
  static constexpr bool kSigned = true;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int g = 0; g < kValues / kGroup; ++g)
      codes[g] = V::lookup16(kIq4Levels, V::nibbles(block.qs + kGroup / 2 * g));
    V::scale_eight(less_32(iq4_xs_scales(block)), V::half(block.d), scale);
  }
};

struct UnpackMXFP4 : UnpackBlock32 {
  using Block = BlockMXFP4;
  static constexpr bool kSigned = true;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    codes[0] = V::lookup16(kFp4Values, V::nibbles(block.qs));
    scale[0] = mxfp4_half_scale(block.e);
  }
};

struct UnpackNVFP4 {
  using Block = BlockNVFP4;
  static constexpr int kValues = 64;
  static constexpr int kGroup = 16;
  static constexpr bool kSigned = true;
  static constexpr int kZero = 0;
  static constexpr bool kHasMin = false;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    for (int r = 0; r < kValues / 32; ++r)
      codes[r] = V::lookup16(kFp4Values, V::nibbles_of_eights(block.qs + 16 * r));
    V::scale_halves(nvfp4_scales_as_f16(block.d), kNvfp4HalfScale, scale);
  }
};

}  // namespace
}  // namespace nibble
