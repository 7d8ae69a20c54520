#pragma once

#include <cstring>

#include "kernels/simd/rows_x86_avx2.h"
#include "kernels/simd/x86_avx512.h"

// Bytes as RowsAvx2 has them, with what masks do better. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

struct RowsAvx512 : Avx512, RowsAvx2 {
  static Bytes add_where(Bytes b, uint32_t bits, uint8_t x) {
    return _mm256_mask_add_epi8(b, bits, b, all(x));
  }
  // Where four of the numbers lie in 64 bytes, two loads and a permutation have them all.
  template <int kStride>
  static F8 eight_halves(const uint16_t* p) {
    if constexpr (3 * kStride + 2 > 64) return RowsAvx2::eight_halves<kStride>(p);
    constexpr int k = kStride / 2;
    constexpr int k2 = 32;
    const __m512i at = _mm512_castsi128_si512(
        _mm_setr_epi16(0, k, 2 * k, 3 * k, k2, k2 + k, k2 + 2 * k, k2 + 3 * k));
    return _mm256_cvtph_ps(_mm512_castsi512_si128(
        _mm512_permutex2var_epi16(_mm512_loadu_si512(p), at, _mm512_loadu_si512(p + 4 * k))));
  }
  static Bytes negate(Bytes b, uint32_t bits) {
    return _mm256_mask_sub_epi8(b, bits, _mm256_setzero_si256(), b);
  }
};

}  // namespace
}  // namespace nibble
