#pragma once

#include <cstring>

#include "kernels/simd/dot_x86.h"
#include "kernels/simd/x86_avx512.h"

// Bytes as RowsAvx2 has them, with what masks do better. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

struct RowsAvx512 : Avx512, RowsAvx2 {
  static Bytes negate(Bytes b, uint32_t bits) {
    return _mm256_mask_sub_epi8(b, bits, _mm256_setzero_si256(), b);
  }
};

}  // namespace
}  // namespace nibble
