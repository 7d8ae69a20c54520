#pragma once

#include <cstring>

#include "kernels/simd/rows_x86_avx512.h"

// vpdpbusd multiplies unsigned codes with signed activations and adds four products to a 32-bit
// sum: no step can overflow. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

struct DotAvx512Vnni : RowsAvx512 {
  static F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
  static float reduce_add(F32 v) { return _mm512_reduce_add_ps(v); }

  template <bool kSigned>
  static I8 dot_bytes(I8 acc, Bytes codes, Bytes a) {
    to_unsigned<kSigned>(&codes, &a);
    return _mm256_dpbusd_epi32(acc, codes, a);
  }
  template <bool kSigned>
  static I8 dot32(I8 acc, Bytes codes, const int8_t* a) {
    return dot_bytes<kSigned>(acc, codes, load_bytes(reinterpret_cast<const uint8_t*>(a)));
  }
  template <bool kSigned>
  static I8 dot_two(I8 acc, TwoBytes codes, TwoBytes a) {
    return dot_bytes<kSigned>(dot_bytes<kSigned>(acc, codes.first, a.first), codes.second,
                              a.second);
  }

  // 12 sums of integers and 12 of floats leave 8 of the 32 registers. Signed codes are stored with
  // 128 added, which the zero point takes back.
  static constexpr int kSlices = 2;
  static constexpr int kActs = 6;
  static constexpr int kFloatActs = 6;
  static constexpr bool kUnsignedOnly = true;
  using Int = __m512i;
  static Int set1_int(int32_t x) { return _mm512_set1_epi32(x); }
  static F32 to_f32(Int v) { return _mm512_cvtepi32_ps(v); }
  static constexpr bool kMultipliesPairs = false;
  // Products are added to sums of 32 bits at once.
  using Part = Int;
  static constexpr int fours_at_once(int) { return 8; }
  static Part begin(Int acc) { return acc; }
  static Int finish(Int, Part part) { return part; }
  template <bool kSigned>
  static Int dot4(Int acc, const uint8_t* codes, const int8_t* a) {
    int32_t four;
    std::memcpy(&four, a, sizeof(four));
    return _mm512_dpbusd_epi32(acc, _mm512_loadu_si512(codes), _mm512_set1_epi32(four));
  }
};

}  // namespace
}  // namespace nibble
