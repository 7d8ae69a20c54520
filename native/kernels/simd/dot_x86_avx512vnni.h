#pragma once

#include <cstring>

#include "kernels/simd/rows_x86_avx512.h"
#include "kernels/simd/sums.h"

// vpdpbusd multiplies unsigned codes with signed activations and adds four products to a 32-bit
// sum: no step can overflow. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

struct DotAvx512Vnni : RowsAvx512, SumsOf32Bits {
  static F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
  static float reduce_add(F32 v) { return _mm512_reduce_add_ps(v); }

  template <bool kSigned>
  static I8 dot_bytes(I8 acc, Bytes codes, Bytes a) {
    to_unsigned<kSigned>(&codes, &a);
    return _mm256_dpbusd_epi32(acc, codes, a);
  }

  // 12 sums of integers and 12 of floats leave 8 of the 32 registers. Signed codes are stored with
  // 128 added, which the zero point takes back.
  static constexpr int kSlices = 2;
  static constexpr int acts(int, int) { return 6; }
  using Int = __m512i;
  using Part = Int;
  static constexpr int kFloatActs = 6;
  static constexpr bool kUnsignedOnly = true;
  static Int set1_int(int32_t x) { return _mm512_set1_epi32(x); }
  static F32 to_f32(Int v) { return _mm512_cvtepi32_ps(v); }
  template <bool kSigned>
  static Int dot4(Int acc, const uint8_t* codes, const int8_t* a) {
    int32_t four;
    std::memcpy(&four, a, sizeof(four));
    return _mm512_dpbusd_epi32(acc, _mm512_loadu_si512(codes), _mm512_set1_epi32(four));
  }
};

}  // namespace
}  // namespace nibble
