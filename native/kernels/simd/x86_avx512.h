#pragma once

#include <immintrin.h>

#include <cstdint>

// Sixteen floats in a zmm register. Anonymous: nothing compiled with AVX-512 may become a symbol
// that other files use.
namespace nibble {
namespace {

struct Avx512 {
  static constexpr int kWidth = 16;
  using F32 = __m512;
  using Mask = __mmask16;
  using Words = __m512i;  // one in every lane

  static F32 load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F32 v) { _mm512_storeu_ps(p, v); }
  static F32 set1(float x) { return _mm512_set1_ps(x); }
  static F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
  static F32 sub(F32 a, F32 b) { return _mm512_sub_ps(a, b); }
  static F32 mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
  static F32 div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
  static F32 sqrt(F32 a) { return _mm512_sqrt_ps(a); }
  // To integers, ties to even.
  static F32 round(F32 a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static F32 abs(F32 a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
  static F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
  static F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
  // The larger, and NaN where a is NaN: the second operand is what it gives then.
  static F32 not_below(F32 a, F32 low) { return _mm512_max_ps(low, a); }
  static Mask gt(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  static Mask equal(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
  static Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }
  // In every lane.
  static bool holds(Mask mask) { return mask == 0xffff; }
  // Bit i is lane i.
  static unsigned bits(Mask mask) { return mask; }
  // 2^n of integers n that 1.5 * 2^23 was added to.
  static F32 power(F32 shifted) {
    const __m512i bits = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(0x3f800000)));
  }
  // b where the mask holds, else a.
  static F32 blend(F32 a, F32 b, Mask mask) { return _mm512_mask_blend_ps(mask, a, b); }
  // table[the lowest 5 bits of the lane].
  static constexpr bool kLooksUp32 = true;
  static F32 lookup32(const float* table, F32 index) {
    return _mm512_permutex2var_ps(load(table), _mm512_castps_si512(index), load(table + 16));
  }
  // Four rows of four floats become columns; the strides are between rows.
  static void transpose4(const float* from, int stride, float* to, int to_stride) {
    __m128 rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = _mm_loadu_ps(from + i * stride);
    _MM_TRANSPOSE4_PS(rows[0], rows[1], rows[2], rows[3]);
    for (int i = 0; i < 4; ++i) _mm_storeu_ps(to + i * to_stride, rows[i]);
  }
  // The least of all lanes in every lane.
  static F32 min_all(F32 v) {
    v = min(v, _mm512_shuffle_f32x4(v, v, 0x4e));
    v = min(v, _mm512_shuffle_f32x4(v, v, 0xb1));
    v = min(v, _mm512_permute_ps(v, 0x4e));
    return min(v, _mm512_permute_ps(v, 0xb1));
  }
  static float reduce_max(F32 v) { return _mm512_reduce_max_ps(v); }
  static float reduce_min(F32 v) { return _mm512_reduce_min_ps(v); }

  // Truncated to integers 0 .. most; what no int holds is INT_MIN after the conversion and becomes
  // 0.
  static void store_codes(uint8_t* to, F32 v, int most) {
    __m512i q = _mm512_max_epi32(_mm512_cvttps_epi32(v), _mm512_setzero_si512());
    q = _mm512_min_epi32(q, _mm512_set1_epi32(most));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(q));
  }
  // Rounded half away from zero; what does not lie in -127 .. 127 becomes 0. The largest float
  // under 0.5 is added, so that no sum is rounded up to the next integer.
  static void store_rounded(int8_t* to, F32 v) {
    const __m512 sign = _mm512_and_ps(v, _mm512_set1_ps(-0.0f));
    const __m512 sum = _mm512_add_ps(v, _mm512_or_ps(_mm512_set1_ps(0.49999997f), sign));
    const __mmask16 inside = _mm512_cmp_ps_mask(abs(sum), _mm512_set1_ps(128.0f), _CMP_LT_OQ);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm512_cvtepi32_epi8(_mm512_maskz_cvttps_epi32(inside, sum)));
  }
  // nearest_int of super_block.h, kept in low .. high, as floats.
  static F32 nearest(F32 v, int low, int high) {
    const __m512i bits = _mm512_castps_si512(_mm512_add_ps(v, _mm512_set1_ps(12582912.0f)));
    __m512i q = _mm512_sub_epi32(_mm512_and_si512(bits, _mm512_set1_epi32(0x007fffff)),
                                 _mm512_set1_epi32(0x00400000));
    q = _mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(low)), _mm512_set1_epi32(high));
    return _mm512_cvtepi32_ps(q);
  }

  static Words load_words(const uint16_t* p) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  // Of integers that a word holds.
  static void store_words(uint16_t* p, F32 v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtepi32_epi16(_mm512_cvttps_epi32(v)));
  }
  static Words shift_right(Words a, int bits) {
    return _mm512_srli_epi32(a, static_cast<unsigned>(bits));
  }
  // Entry `index` % kSize of a table in every lane; kSize is 4 or 8.
  template <int kSize>
  static F32 lookup(const float* table, Words index) {
    if constexpr (kSize == 4) {
      return _mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(table)), index);
    } else {
      return _mm512_permutexvar_ps(index, _mm512_broadcast_f32x8(_mm256_loadu_ps(table)));
    }
  }

  static F32 from_u8(const uint8_t* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static F32 from_i8(const int8_t* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static F32 from_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void to_f16(uint16_t* p, F32 v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static F32 from_bf16(const uint16_t* p) {
    const __m512i wide =
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  // Rounded to even by adding 0x7fff and the lowest bit that stays.
  static void to_bf16(uint16_t* p, F32 v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const __m512i chosen =
        _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), sum, quiet);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(chosen, 16)));
  }
};

}  // namespace
}  // namespace nibble
