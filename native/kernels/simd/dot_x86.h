#pragma once

#include <cstring>

#include "kernels/simd/x86_avx2.h"

// Products of bytes on x86. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

// 32 bytes in a register, which unpacking works on, and the eight sums of four that their products
// with 32 activations become: the first four belong to the first 16 values.
struct RowsAvx2 {
  using Bytes = __m256i;
  static Bytes load_bytes(const uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store_bytes(uint8_t* p, Bytes b) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), b);
  }
  static Bytes mask(Bytes b, uint8_t bits) {
    return _mm256_and_si256(b, _mm256_set1_epi8(static_cast<char>(bits)));
  }
  static Bytes either(Bytes a, Bytes b) { return _mm256_or_si256(a, b); }
  static Bytes minus(Bytes b, uint8_t x) {
    return _mm256_sub_epi8(b, _mm256_set1_epi8(static_cast<char>(x)));
  }
  // Shifts move bits into neighbouring bytes: mask first on the left, afterwards on the right.
  template <int kBits>
  static Bytes right(Bytes b) {
    return _mm256_srli_epi16(b, kBits);
  }
  template <int kBits>
  static Bytes left(Bytes b) {
    return _mm256_slli_epi16(b, kBits);
  }
  // The low halves of 16 bytes, then their high halves.
  static Bytes nibbles(const uint8_t* p) {
    const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return mask(_mm256_set_m128i(_mm_srli_epi16(both, 4), both), 0x0f);
  }
  // 0xff where a bit is set, of 32.
  static Bytes spread(const uint8_t* p) {
    int32_t bits;
    std::memcpy(&bits, p, sizeof(bits));
    const __m256i which = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                           2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), which);
    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
  }
  static float half(uint16_t x) { return _cvtsh_ss(x); }
  // out[i] = d * scales[i] for eight of them; stored as a whole, so that pair8 need not wait.
  static void scale_eight(const int8_t* scales, float d, float* out) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(scales));
    const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    _mm256_storeu_ps(out, _mm256_mul_ps(values, _mm256_set1_ps(d)));
  }

  using F8 = __m256;
  static F8 zero8() { return _mm256_setzero_ps(); }
  static F8 fma8(F8 a, F8 b, F8 c) { return _mm256_fmadd_ps(a, b, c); }
  static F8 mul8(F8 a, F8 b) { return _mm256_mul_ps(a, b); }
  static F8 set8(float x) { return _mm256_set1_ps(x); }
  // The first value in the first four lanes, the second in the others.
  static F8 pair8(const float* pair) {
    const __m256 both =
        _mm256_castpd_ps(_mm256_broadcast_sd(reinterpret_cast<const double*>(pair)));
    return _mm256_permutevar8x32_ps(both, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
  }
  static float sum8(F8 v) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  }

  // Sums of four.
  using I8 = __m256i;
  static I8 zero_i8() { return _mm256_setzero_si256(); }
  static F8 to_f8(I8 v) { return _mm256_cvtepi32_ps(v); }
  static Bytes all(uint8_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
  static I8 minus_i8(I8 a, I8 b) { return _mm256_sub_epi32(a, b); }

  // Signed codes are made unsigned by moving their sign to the activation.
  template <bool kSigned>
  static void to_unsigned(Bytes* codes, Bytes* a) {
    if (!kSigned) return;
    *a = _mm256_sign_epi8(*a, *codes);
    *codes = _mm256_abs_epi8(*codes);
  }
};

// Panels: one weight row per lane.
struct DotAvx2 : Avx2, RowsAvx2 {
  static F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
  static float reduce_add(F32 v) { return sum8(v); }

  // Sums of four. Two products of 128 * 127 (63 * 127 of unsigned codes) fit 16 bits.
  template <bool kSigned>
  static __m256i fours(Bytes codes, Bytes a) {
    to_unsigned<kSigned>(&codes, &a);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, a), _mm256_set1_epi16(1));
  }
  template <bool kSigned>
  static I8 dot32(I8 acc, Bytes codes, const int8_t* a) {
    return _mm256_add_epi32(acc,
                            fours<kSigned>(codes, load_bytes(reinterpret_cast<const uint8_t*>(a))));
  }

  // Registers of the panel's micro-kernel: 4 sums of integers, 4 of floats, codes, their sign.
  static constexpr int kSlices = 1;
  static constexpr int kActs = 4;
  static constexpr bool kUnsignedOnly = false;
  using Int = __m256i;
  static Int set1_int(int32_t x) { return _mm256_set1_epi32(x); }
  static F32 to_f32(Int v) { return _mm256_cvtepi32_ps(v); }
  template <bool kSigned>
  static Int dot4(Int acc, const uint8_t* codes, const int8_t* a) {
    int32_t four;
    std::memcpy(&four, a, sizeof(four));
    return _mm256_add_epi32(acc, fours<kSigned>(load_bytes(codes), _mm256_set1_epi32(four)));
  }
};

}  // namespace
}  // namespace nibble
