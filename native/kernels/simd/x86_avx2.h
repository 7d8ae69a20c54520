#pragma once

#include <immintrin.h>

#include <cstdint>

// Eight floats in a ymm register. Anonymous: nothing compiled with AVX2 may become a symbol that
// other files use.
namespace nibble {
namespace {

struct Avx2 {
  static constexpr int kWidth = 8;
  using F32 = __m256;
  using Mask = __m256;
  using Words = __m256i;  // one in every lane

  static F32 load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, F32 v) { _mm256_storeu_ps(p, v); }
  static F32 set1(float x) { return _mm256_set1_ps(x); }
  static F32 add(F32 a, F32 b) { return _mm256_add_ps(a, b); }
  static F32 sub(F32 a, F32 b) { return _mm256_sub_ps(a, b); }
  static F32 mul(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
  static F32 div(F32 a, F32 b) { return _mm256_div_ps(a, b); }
  static F32 sqrt(F32 a) { return _mm256_sqrt_ps(a); }
  // To integers, ties to even.
  static F32 round(F32 a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static F32 abs(F32 a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static F32 min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
  static F32 max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
  // The larger, and NaN where a is NaN: the second operand is what it gives then.
  static F32 not_below(F32 a, F32 low) { return _mm256_max_ps(low, a); }
  static Mask gt(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
  static Mask equal(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
  static Mask both(Mask a, Mask b) { return _mm256_and_ps(a, b); }
  // In every lane.
  static bool holds(Mask mask) { return _mm256_movemask_ps(mask) == 255; }
  // Bit i is lane i.
  static unsigned bits(Mask mask) { return static_cast<unsigned>(_mm256_movemask_ps(mask)); }
  // 2^n of integers n that 1.5 * 2^23 was added to.
  static F32 power(F32 shifted) {
    const __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(0x3f800000)));
  }
  // b where the mask holds, else a.
  static F32 blend(F32 a, F32 b, Mask mask) { return _mm256_blendv_ps(a, b, mask); }
  static constexpr bool kLooksUp32 = false;
  // Four rows of four floats become columns; the strides are between rows.
  static void transpose4(const float* from, int stride, float* to, int to_stride) {
    __m128 rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = _mm_loadu_ps(from + i * stride);
    _MM_TRANSPOSE4_PS(rows[0], rows[1], rows[2], rows[3]);
    for (int i = 0; i < 4; ++i) _mm_storeu_ps(to + i * to_stride, rows[i]);
  }

  // The least of all lanes in every lane.
  static F32 min_all(F32 v) {
    v = min(v, _mm256_permute2f128_ps(v, v, 1));
    v = min(v, _mm256_permute_ps(v, 0x4e));
    return min(v, _mm256_permute_ps(v, 0xb1));
  }
  static float reduce_max(F32 v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
  }
  static float reduce_min(F32 v) {
    __m128 m = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_min_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_min_ss(m, _mm_movehdup_ps(m)));
  }

  // Truncated to integers 0 .. most; what no int holds is INT_MIN after the conversion and becomes
  // 0.
  static void store_codes(uint8_t* to, F32 v, int most) {
    __m256i q = _mm256_max_epi32(_mm256_cvttps_epi32(v), _mm256_setzero_si256());
    q = _mm256_min_epi32(q, _mm256_set1_epi32(most));
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
  }
  // Rounded half away from zero; what does not lie in -127 .. 127 becomes 0. The largest float
  // under 0.5 is added, so that no sum is rounded up to the next integer.
  static void store_rounded(int8_t* to, F32 v) {
    const __m256 sign = _mm256_and_ps(v, _mm256_set1_ps(-0.0f));
    const __m256 sum = _mm256_add_ps(v, _mm256_or_ps(_mm256_set1_ps(0.49999997f), sign));
    const __m256 inside = _mm256_cmp_ps(abs(sum), _mm256_set1_ps(128.0f), _CMP_LT_OQ);
    const __m256i q = _mm256_cvttps_epi32(_mm256_and_ps(sum, inside));
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
  }
  // nearest_int of super_block.h, kept in low .. high, as floats.
  static F32 nearest(F32 v, int low, int high) {
    const __m256i bits = _mm256_castps_si256(_mm256_add_ps(v, _mm256_set1_ps(12582912.0f)));
    __m256i q = _mm256_sub_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff)),
                                 _mm256_set1_epi32(0x00400000));
    q = _mm256_min_epi32(_mm256_max_epi32(q, _mm256_set1_epi32(low)), _mm256_set1_epi32(high));
    return _mm256_cvtepi32_ps(q);
  }

  static Words load_words(const uint16_t* p) {
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  // Of integers that a word holds.
  static void store_words(uint16_t* p, F32 v) {
    const __m256i q = _mm256_cvttps_epi32(v);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packus_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1)));
  }
  static Words shift_right(Words a, int bits) { return _mm256_srli_epi32(a, bits); }
  // Entry `index` % kSize of a table in every lane; kSize is 4 or 8.
  template <int kSize>
  static F32 lookup(const float* table, Words index) {
    if constexpr (kSize == 4) {
      return _mm256_permutevar_ps(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(table)),
                                  index);
    } else {
      return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
    }
  }

  static F32 from_u8(const uint8_t* p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static F32 from_i8(const int8_t* p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static F32 from_f16(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void to_f16(uint16_t* p, F32 v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static F32 from_bf16(const uint16_t* p) {
    const __m256i wide =
        _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
  // Rounded to even by adding 0x7fff and the lowest bit that stays.
  static void to_bf16(uint16_t* p, F32 v) {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i upper = _mm256_srli_epi32(
        _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
    upper =
        _mm256_blendv_epi8(upper, quiet, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), words);
  }
};

}  // namespace
}  // namespace nibble
