#pragma once

#include <cstring>

#include "kernels/simd/x86_avx2.h"

// Bytes that unpacking works on. Anonymous: see x86_avx2.h.
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
  static Bytes all(uint8_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
  static Bytes minus(Bytes a, Bytes b) { return _mm256_sub_epi8(a, b); }
  // Low 8 bits of products.
  static Bytes times(Bytes a, Bytes b) {
    const __m256i even = _mm256_mullo_epi16(a, b);
    const __m256i odd = _mm256_mullo_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
    return _mm256_blendv_epi8(even, _mm256_slli_epi16(odd, 8),
                              _mm256_set1_epi16(static_cast<int16_t>(0xff00)));
  }
  // 0xff where a byte is at least x.
  static Bytes at_least(Bytes b, uint8_t x) {
    return _mm256_cmpeq_epi8(_mm256_max_epu8(b, all(x)), b);
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
    const __m256i twice =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return mask(_mm256_srlv_epi64(twice, _mm256_setr_epi64x(0, 0, 4, 4)), 0x0f);
  }
  // 16 bytes of two places; their low halves, and their high halves.
  struct TwoBytes {
    Bytes first;
    Bytes second;
  };
  static Bytes load_two(const uint8_t* low, const uint8_t* high) {
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(low));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first),
                                   _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
  }
  static TwoBytes nibbles_of_two(const uint8_t* low, const uint8_t* high) {
    const Bytes both = load_two(low, high);
    return {mask(both, 0x0f), mask(right<4>(both), 0x0f)};
  }
  // x more where a bit is set, of 32, in bytes that have none of its bits.
  static Bytes add_where(Bytes b, uint32_t bits, uint8_t x) {
    return either(b, mask(spread(bits), x));
  }
  // Each of a word's bytes eight times.
  static Bytes each_eight(uint32_t word) {
    const __m256i which = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                           2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    return _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int32_t>(word)), which);
  }
  // 0xff where a bit is set, of 32.
  static Bytes spread(uint32_t bits) {
    const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
    return _mm256_cmpeq_epi8(_mm256_and_si256(each_eight(bits), bit), bit);
  }
  // Entries b of a table of 16, for bytes of 0 .. 15.
  static Bytes table16(const int8_t (&table)[16]) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  }
  static Bytes entries(Bytes table, Bytes b) { return _mm256_shuffle_epi8(table, b); }
  static Bytes lookup16(const int8_t (&table)[16], Bytes b) { return entries(table16(table), b); }
  // The low halves of 8 bytes, then their high halves; then the same of the next 8.
  static Bytes nibbles_of_eights(const uint8_t* p) {
    const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i high = _mm_srli_epi16(both, 4);
    return mask(_mm256_set_m128i(_mm_unpackhi_epi64(both, high), _mm_unpacklo_epi64(both, high)),
                0x0f);
  }
  // The four pairs of bits of each of 8 bytes, the lowest first.
  static Bytes pairs_of_bits(const uint8_t* p) {
    __m256i b = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    b = _mm256_or_si256(b, _mm256_slli_epi32(b, 6));
    return mask(_mm256_or_si256(b, _mm256_slli_epi32(b, 12)), 0x03);
  }
  // Minus the byte where a bit is set, of 32.
  static Bytes negate(Bytes b, uint32_t bits) {
    const __m256i minus_one = spread(bits);
    return _mm256_sub_epi8(_mm256_xor_si256(b, minus_one), minus_one);
  }
  static Bytes exclusive(Bytes a, Bytes b) { return _mm256_xor_si256(a, b); }
  // The bytes as eight words of 32 bits, the lowest byte first.
  template <int kBits>
  static Bytes left_words(Bytes b) {
    return _mm256_slli_epi32(b, kBits);
  }
  static Bytes mask_words(Bytes b, uint32_t bits) {
    return _mm256_and_si256(b, _mm256_set1_epi32(static_cast<int32_t>(bits)));
  }
  // Words 1, 3, .. 15 of 16; and the bits from 9 up of 32 numbers of 16, as bytes.
  static Bytes odd_words(const uint8_t* p) {
    const __m256 low = _mm256_loadu_ps(reinterpret_cast<const float*>(p));
    const __m256 high = _mm256_loadu_ps(reinterpret_cast<const float*>(p + 32));
    return _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd)), 0xd8);
  }
  static Bytes above_bit_9(const uint16_t* p) {
    const __m256i low = _mm256_srli_epi16(load_bytes(reinterpret_cast<const uint8_t*>(p)), 9);
    const __m256i high = _mm256_srli_epi16(load_bytes(reinterpret_cast<const uint8_t*>(p + 16)), 9);
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8);
  }
  // The low halves of 16 bytes and their high halves, in turn.
  static Bytes nibbles_in_turn(const uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i high = _mm_srli_epi16(bytes, 4);
    return mask(_mm256_set_m128i(_mm_unpackhi_epi8(bytes, high), _mm_unpacklo_epi8(bytes, high)),
                0x0f);
  }
  // 32 numbers of a low and a high byte.
  static void store_pairs(uint16_t* to, Bytes low, Bytes high) {
    low = _mm256_permute4x64_epi64(low, 0xd8);
    high = _mm256_permute4x64_epi64(high, 0xd8);
    store_bytes(reinterpret_cast<uint8_t*>(to), _mm256_unpacklo_epi8(low, high));
    store_bytes(reinterpret_cast<uint8_t*>(to + 16), _mm256_unpackhi_epi8(low, high));
  }
  // Eight rows of eight words of 32 bits become columns.
  static void transpose8(Bytes (&rows)[8]) {
    Bytes pairs[8];  // rows 2 i and 2 i + 1 in turn: words 0, 1 | 4, 5; then words 2, 3 | 6, 7
    for (int i = 0; i < 4; ++i) {
      pairs[2 * i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
      pairs[2 * i + 1] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for (int i = 0; i < 2; ++i) {  // of the first four rows words 2 i | 2 i + 4, then 2 i + 1 ..
      const __m256i low[2] = {_mm256_unpacklo_epi64(pairs[i], pairs[i + 2]),
                              _mm256_unpackhi_epi64(pairs[i], pairs[i + 2])};
      const __m256i high[2] = {_mm256_unpacklo_epi64(pairs[i + 4], pairs[i + 6]),
                               _mm256_unpackhi_epi64(pairs[i + 4], pairs[i + 6])};
      for (int j = 0; j < 2; ++j) {
        rows[2 * i + j] = _mm256_permute2x128_si256(low[j], high[j], 0x20);
        rows[2 * i + j + 4] = _mm256_permute2x128_si256(low[j], high[j], 0x31);
      }
    }
  }
  // Four points of 8 values of a codebook, and eight of 4.
  template <typename Index>
  static Bytes join(const int8_t (*table)[8], const Index* at) {
    return _mm256_set_m128i(join_two(table[at[2]], table[at[3]]),
                            join_two(table[at[0]], table[at[1]]));
  }
  template <typename Index>
  static Bytes join(const int8_t (*table)[4], const Index* at) {
    return _mm256_set_m128i(join_four(table, at + 4), join_four(table, at));
  }
  static float half(uint16_t x) { return _cvtsh_ss(x); }
  // d * (signed) byte i of eight; stored as a whole, so that pair8 need not wait.
  static __m256 scaled8(uint64_t scales, float d) {
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<int64_t>(scales));
    const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    return _mm256_mul_ps(values, _mm256_set1_ps(d));
  }
  static void scale_eight(uint64_t scales, float d, float* out) {
    _mm256_storeu_ps(out, scaled8(scales, d));
  }
  // The same of 2 x + 1 of the highest 4 bits x of eight words.
  static void scale_tops(Bytes words, float d, float* out) {
    const __m256i odd = _mm256_or_si256(_mm256_srli_epi32(words, 27), _mm256_set1_epi32(1));
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(odd), _mm256_set1_ps(d)));
  }
  // The same of four f16.
  static void scale_halves(uint64_t halves, float d, float* out) {
    const __m128i words = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(&halves));
    _mm_storeu_ps(out, _mm_mul_ps(_mm_cvtph_ps(words), _mm_set1_ps(d)));
  }

  using F8 = __m256;
  static constexpr bool kTakesEights = true;
  static F8 zero8() { return _mm256_setzero_ps(); }
  static F8 load8(const float* p) { return _mm256_loadu_ps(p); }
  // Eight f16 that are kStride bytes apart, each loaded to where it goes.
  template <int kStride>
  static F8 eight_halves(const uint16_t* p) {
    constexpr int kStep = kStride / 2 - 1;
    static_assert(kStep >= 8, "no load goes beyond the last block");
    const auto load = [p](int i) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + kStep * i));
    };
    __m128i low = _mm_blend_epi16(load(0), load(1), 1 << 1);
    __m128i high = _mm_blend_epi16(load(4), load(5), 1 << 5);
    low = _mm_blend_epi16(low, load(2), 1 << 2);
    high = _mm_blend_epi16(high, load(6), 1 << 6);
    low = _mm_blend_epi16(low, load(3), 1 << 3);
    high = _mm_blend_epi16(high, load(7), 1 << 7);
    return _mm256_cvtph_ps(_mm_blend_epi16(low, high, 0xf0));
  }
  // 2^(byte - 128), subnormal for 0 and 1.
  static F8 eight_powers(uint64_t exponents) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(&exponents));
    const __m256i e = _mm256_cvtepu8_epi32(bytes);
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i is_small = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, small, is_small));
  }
  // Number k of the first four in the first four lanes, number k + 4 in the others.
  template <int k>
  static F8 of_fours(F8 v) {
    return _mm256_permute_ps(v, k * 0x55);
  }
  // Numbers 2 p, 2 p, 2 p + 1 and 2 p + 1, and the same four again: what weigh<p> gives belongs to.
  template <int p>
  static F8 of_pairs(F8 v) {
    constexpr int a = 2 * p;
    constexpr int b = a + 1;
    return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(a, a, b, b, a, a, b, b));
  }
  // Sums of two neighbours of 16.
  static F8 add_pairs8(const float* p) {
    const __m256 sums = _mm256_hadd_ps(load8(p), load8(p + 8));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(sums), 0xd8));
  }
  static F8 fma8(F8 a, F8 b, F8 c) { return _mm256_fmadd_ps(a, b, c); }
  static F8 add8(F8 a, F8 b) { return _mm256_add_ps(a, b); }
  static F8 mul8(F8 a, F8 b) { return _mm256_mul_ps(a, b); }
  static F8 set8(float x) { return _mm256_set1_ps(x); }
  // The first value in the first four lanes, the second in the others.
  static F8 pair8(const float* pair) {
    const __m256 both =
        _mm256_castpd_ps(_mm256_broadcast_sd(reinterpret_cast<const double*>(pair)));
    return _mm256_permutevar_ps(both, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
  }
  static float sum8(F8 v) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  }

  static F8 all_half(uint16_t x) {
    return _mm256_cvtph_ps(_mm_set1_epi16(static_cast<int16_t>(x)));
  }
  // Eight signed bytes.
  static F8 whole8(uint64_t bytes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes))));
  }

  // Sums of four.
  using I8 = __m256i;
  static I8 zero_i8() { return _mm256_setzero_si256(); }
  static F8 to_f8(I8 v) { return _mm256_cvtepi32_ps(v); }
  static I8 minus_i8(I8 a, I8 b) { return _mm256_sub_epi32(a, b); }
  // Whole scales of eight groups of 32: those of the first 16 values, then of the others.
  using Scales = __m256i;
  static Scales scales_of(const uint64_t (&groups)[1]) {
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<int64_t>(groups[0]));
    return _mm256_broadcastsi128_si256(_mm_cvtepi8_epi16(bytes));
  }
  static Scales scales_of(const uint64_t (&halves)[2]) {
    const __m256i bytes = _mm256_broadcastsi128_si256(
        _mm_set_epi64x(static_cast<int64_t>(halves[1]), static_cast<int64_t>(halves[0])));
    constexpr char no = -1;
    const __m256i which =
        _mm256_setr_epi8(no, 0, no, 2, no, 4, no, 6, no, 8, no, 10, no, 12, no, 14,  //
                         no, 1, no, 3, no, 5, no, 7, no, 9, no, 11, no, 13, no, 15);
    return _mm256_srai_epi16(_mm256_shuffle_epi8(bytes, which), 8);
  }
  // Sums of four of groups 2 p and 2 p + 1, which fit 16 bits, times their scales.
  template <int p>
  static I8 weigh(I8 even, I8 odd, Scales scales) {
    constexpr int a = 4 * p;
    constexpr int b = a + 1;
    constexpr int c = a + 2;
    constexpr int d = a + 3;
    const __m128i which = _mm_setr_epi8(a, b, a, b, a, b, a, b, c, d, c, d, c, d, c, d);
    return _mm256_madd_epi16(_mm256_packs_epi32(even, odd),
                             _mm256_shuffle_epi8(scales, _mm256_broadcastsi128_si256(which)));
  }

  static __m128i join_two(const int8_t* low, const int8_t* high) {
    return _mm_castps_si128(
        _mm_loadh_pi(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(low))),
                     reinterpret_cast<const __m64*>(high)));
  }
  static int32_t load_int(const int8_t* p) {
    int32_t four;
    std::memcpy(&four, p, sizeof(four));
    return four;
  }
  template <typename Index>
  static __m128i join_four(const int8_t (*table)[4], const Index* at) {
    return _mm_setr_epi32(load_int(table[at[0]]), load_int(table[at[1]]), load_int(table[at[2]]),
                          load_int(table[at[3]]));
  }

  // Signed codes are made unsigned by moving their sign to the activation.
  template <bool kSigned>
  static void to_unsigned(Bytes* codes, Bytes* a) {
    if (!kSigned) return;
    *a = _mm256_sign_epi8(*a, *codes);
    *codes = _mm256_abs_epi8(*codes);
  }
};

}  // namespace
}  // namespace nibble
