#pragma once

#include <cstdint>

#include "formats/block32.h"
#include "formats/fp4.h"
#include "formats/mxfp4.h"
#include "formats/nvfp4.h"
#include "kernels/quantize_row/magnitude_lanes.h"

// MXFP4 and NVFP4: floats of 4 bits.
namespace nibble {
namespace {

// nearest_fp4 of kCount values. Values of the other sign are never nearer than 0, so that the
// magnitude decides, and halves of the table are alike.
template <typename V, int kCount>
void store_fp4(const float* x, float d, uint8_t* codes) {
  using F32 = typename V::F32;
  const F32 zero = V::set1(0.0f);
  for (int j = 0; j < kCount; j += V::kWidth) {
    const F32 v = V::load(x + j);
    const F32 magnitude = V::abs(v);
    F32 code = zero;
    F32 least = magnitude;
    for (int c = 1; c < 8; ++c) {
      const F32 value = V::set1(static_cast<float>(kFp4Values[c]) * d);
      const F32 error = V::abs(V::sub(value, magnitude));
      code = V::blend(code, V::set1(static_cast<float>(c)), V::gt(least, error));
      least = V::min(least, error);
    }
    const typename V::Mask negative = V::both(V::gt(zero, v), V::gt(code, zero));
    V::store_codes(codes + j, V::blend(code, V::add(code, V::set1(8.0f)), negative), 15);
  }
}

template <typename V>
void quantize_mxfp4(const float* x, void* row, int64_t n) {
  auto* block = static_cast<BlockMXFP4*>(row);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    uint8_t codes[kBlock32];
    block->e = mxfp4_exponent(magnitude_of<V, kBlock32>(x + i));
    store_fp4<V, kBlock32>(x + i, mxfp4_half_scale(block->e), codes);
    pack_nibbles(codes, block->qs);
  }
}

template <typename V>
void quantize_nvfp4(const float* x, void* row, int64_t n) {
  auto* block = static_cast<BlockNVFP4*>(row);
  for (int64_t i = 0; i < n; i += kValuesNVFP4, ++block) {
    uint8_t codes[kValuesNVFP4];
    for (int g = 0; g < kGroupsNVFP4; ++g) {
      const float* group = x + i + kGroupNVFP4 * g;
      block->d[g] = nvfp4_scale(magnitude_of<V, kGroupNVFP4>(group));
      store_fp4<V, kGroupNVFP4>(group, nvfp4_half_scale(block->d[g]), codes + kGroupNVFP4 * g);
    }
    pack_nvfp4(codes, block);
  }
}

}  // namespace
}  // namespace nibble
