#pragma once

#include <cstdint>

#include "formats/iq4_levels.h"
#include "formats/iq4_nl.h"
#include "formats/iq4_xs.h"
#include "kernels/unpack/unpack.h"

// The types whose codes are looked up in a codebook: what is found there is the signed code.
namespace nibble {
namespace {

template <int kGroupValues>
struct UnpackSigned {
  static constexpr int kValues = 256;
  static constexpr int kGroup = kGroupValues;
  static constexpr bool kSigned = true;
  static constexpr int kZero = 0;
  static constexpr bool kHasMin = false;
};

template <typename V, int kRegisters>
void load_signed(const int8_t* codes, typename V::Bytes* registers) {
  for (int r = 0; r < kRegisters; ++r) {
    registers[r] = V::load_bytes(reinterpret_cast<const uint8_t*>(codes + 32 * r));
  }
}

struct UnpackIQ4_NL : UnpackSigned<32> {
  using Block = BlockIQ4_NL;
  static constexpr int kValues = 32;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    int8_t levels[kValues];
    unpack_iq4(block.qs, levels);
    load_signed<V, 1>(levels, codes);
    scale[0] = V::half(block.d);
  }
};

struct UnpackIQ4_XS : UnpackSigned<32> {
  using Block = BlockIQ4_XS;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    const float d = V::half(block.d);
    for (int g = 0; g < kValues / kGroup; ++g) {
      int8_t levels[kGroup];
      unpack_iq4(block.qs + kGroup / 2 * g, levels);
      load_signed<V, 1>(levels, codes + g);
      scale[g] = d * static_cast<float>(iq4_xs_scale(block, g));
    }
  }
};

}  // namespace
}  // namespace nibble
