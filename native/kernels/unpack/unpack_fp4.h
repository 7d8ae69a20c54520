#pragma once

#include "formats/block32.h"
#include "formats/fp4.h"
#include "formats/mxfp4.h"
#include "formats/nvfp4.h"
#include "kernels/unpack/unpack.h"

// The types of floats of 4 bits. Anonymous: see unpack.h.
namespace nibble {
namespace {

// 32 codes to the integers they stand for.
template <typename V>
typename V::Bytes fp4_values(const uint8_t* codes) {
  uint8_t values[32];
  for (int j = 0; j < 32; ++j) values[j] = static_cast<uint8_t>(kFp4Values[codes[j]]);
  return V::load_bytes(values);
}

struct UnpackMXFP4 : UnpackBlock32 {
  using Block = BlockMXFP4;
  static constexpr bool kSigned = true;

  template <typename V>
  static void unpack(const Block& block, typename V::Bytes* codes, float* scale, float*) {
    uint8_t bytes[kValues];
    unpack_nibbles(block.qs, bytes);
    codes[0] = fp4_values<V>(bytes);
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
    uint8_t bytes[kValues];
    unpack_nvfp4(block, bytes);
    for (int r = 0; r < kValues / 32; ++r) codes[r] = fp4_values<V>(bytes + 32 * r);
    for (int g = 0; g < kValues / kGroup; ++g) scale[g] = nvfp4_half_scale(block.d[g]);
  }
};

}  // namespace
}  // namespace nibble
