#pragma once

#include <cstring>

#include "kernels/simd/rows_x86_avx2.h"

// Products of bytes on AVX2. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

// Panels: one weight row per lane.
struct PanelsAvx2 : Avx2, RowsAvx2 {
  static F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
  static float reduce_add(F32 v) { return sum8(v); }

  static constexpr int kSlices = 2;
  static constexpr int kFloatActs = 6;
  static __m256i set1_int(int32_t x) { return _mm256_set1_epi32(x); }
  static F32 to_f32(__m256i v) { return _mm256_cvtepi32_ps(v); }
};

struct DotAvx2 : PanelsAvx2 {
  static constexpr bool kUnsignedOnly = false;

  // Sums of four. Two products of 128 * 127 (63 * 127 of unsigned codes) fit 16 bits.
  template <bool kSigned>
  static __m256i fours(Bytes codes, Bytes a) {
    to_unsigned<kSigned>(&codes, &a);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, a), _mm256_set1_epi16(1));
  }
  template <bool kSigned>
  static I8 dot_bytes(I8 acc, Bytes codes, Bytes a) {
    return _mm256_add_epi32(acc, fours<kSigned>(codes, a));
  }
  // Four products of 63 * 127 fit 16 bits too.
  static constexpr bool kAddsTwo = true;
  static I8 dot_two_unsigned(I8 acc, TwoBytes codes, TwoBytes a) {
    const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(codes.first, a.first),
                                           _mm256_maddubs_epi16(codes.second, a.second));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }

  // Sums of the panel's micro-kernel: 6 of integers and 6 of floats lie in registers beside codes
  // and activations. Where a group's sums are widened more than once, or at once, the floats wait
  // in memory, and 8 are faster.
  static constexpr int acts(int group, int most) {
    return group == 32 && !multiplies_words(most) ? 3 : 4;
  }
  // Products are added in pairs, in 16 bits as long as they fit.
  using Int = __m256i;
  using Part = __m256i;
  static constexpr bool kMultipliesPairs = false;
  static constexpr int fours_at_once(int most) { return 32767 / (2 * 127 * most); }
  static Part begin(Int) { return _mm256_setzero_si256(); }
  static Int finish(Int acc, Part part) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(part, _mm256_set1_epi16(1)));
  }
  template <bool kSigned>
  static Part dot4(Part acc, const uint8_t* codes, const int8_t* a) {
    int32_t four;
    std::memcpy(&four, a, sizeof(four));
    Bytes lanes = load_bytes(codes);
    Bytes values = _mm256_set1_epi32(four);
    to_unsigned<kSigned>(&lanes, &values);
    acc = _mm256_add_epi16(acc, _mm256_maddubs_epi16(lanes, values));
#if defined(__GNUC__)
    __asm__("" : "+x"(acc));  // or g++ makes all products first, and has no registers for them
#endif
    return acc;
  }

  // Codes of which no more than two products fit 16 bits are multiplied as words instead: 32 of
  // them take two operations of the multipliers, where bytes take three (the sign goes there too).
  static constexpr bool multiplies_words(int most) { return fours_at_once(most) < 2; }
  // Codes 0 .. 15, or 16 .. 31.
  template <bool kSigned>
  static Bytes words(Bytes codes, int half) {
    const __m128i bytes =
        half == 0 ? _mm256_castsi256_si128(codes) : _mm256_extracti128_si256(codes, 1);
    return kSigned ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
  }
  // dots[s][a] += codes of slice s . values of row a, over kCount of them.
  template <int kPanelRows, int kCount, int kActs>
  static void add_words(const uint8_t* codes, const int8_t* values, int64_t n,
                        Int (&dots)[kSlices][kActs]) {
    alignas(32) int16_t wide[kActs][kCount];
    for (int a = 0; a < kActs; ++a) {
      for (int k = 0; k < kCount; k += 16) {
        const auto* bytes = reinterpret_cast<const __m128i*>(values + a * n + k);
        _mm256_store_si256(reinterpret_cast<__m256i*>(wide[a] + k),
                           _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes)));
      }
    }
    for (int k = 0; k < kCount; k += 2) {
      for (int a = 0; a < kActs; ++a) {
        int32_t two;
        std::memcpy(&two, wide[a] + k, sizeof(two));
        const __m256i value = _mm256_set1_epi32(two);
        for (int s = 0; s < kSlices; ++s) {
          const __m256i lanes = load_bytes(codes + 2 * k * kPanelRows + s * 4 * kWidth);
          add_in_place(&dots[s][a], _mm256_madd_epi16(lanes, value));
        }
      }
    }
  }
  // g++ makes all products first if it can, and has no registers for them.
  static void add_in_place(Int* sum, __m256i products) {
#if defined(__GNUC__)
    __asm__("vpaddd %1, %0, %0" : "+x"(*sum) : "x"(products));
#else
    *sum = _mm256_add_epi32(*sum, products);
#endif
  }
};

}  // namespace
}  // namespace nibble
