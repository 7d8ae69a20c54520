#pragma once

#include <cstdint>

#include "formats/iq1_m.h"
#include "formats/iq1_s.h"
#include "formats/iq2_s.h"
#include "formats/iq2_xs.h"
#include "formats/iq2_xxs.h"
#include "formats/iq3_s.h"
#include "formats/iq3_xxs.h"
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

template <typename BlockType>
uint16_t d_of(const BlockType& block) {
  return block.d;
}

inline uint16_t d_of(const BlockIQ1_M& block) { return iq1_m_d(block); }

// The types with codebooks of points: `unpack_codes(block, d, codes, scales)` is their format's.
template <typename BlockType, int kGroupValues,
          void (*unpack_codes)(const BlockType&, float, int8_t*, float*)>
struct UnpackPoints : UnpackSigned<kGroupValues> {
  using Block = BlockType;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    int8_t values[kSuperBlock];
    unpack_codes(block, V::half(d_of(block)), values, scale);
    load_signed<V, kSuperBlock / 32>(values, codes);
  }
};

using UnpackIQ1_M = UnpackPoints<BlockIQ1_M, 16, unpack_iq1_m>;
using UnpackIQ1_S = UnpackPoints<BlockIQ1_S, 32, unpack_iq1_s>;
using UnpackIQ2_S = UnpackPoints<BlockIQ2_S, 16, unpack_iq2_s>;
using UnpackIQ2_XS = UnpackPoints<BlockIQ2_XS, 16, unpack_iq2_xs>;
using UnpackIQ2_XXS = UnpackPoints<BlockIQ2_XXS, 32, unpack_iq2_xxs>;
using UnpackIQ3_S = UnpackPoints<BlockIQ3_S, 32, unpack_iq3_s>;
using UnpackIQ3_XXS = UnpackPoints<BlockIQ3_XXS, 32, unpack_iq3_xxs>;

}  // namespace
}  // namespace nibble
