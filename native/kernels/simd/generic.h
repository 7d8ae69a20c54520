#pragma once

#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "formats/block32.h"
#include "kernels/simd/sums.h"

// The lanes of the RUNTIME families in plain C++. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

struct Generic : SumsOf32Bits {
  static constexpr int kWidth = 8;
  struct F32 {
    float lane[kWidth];
  };
  template <typename Body>
  static F32 each(const Body& body) {
    F32 v;
    for (int i = 0; i < kWidth; ++i) v.lane[i] = body(i);
    return v;
  }
  static F32 load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  static void store(float* p, F32 v) { std::memcpy(p, v.lane, sizeof(v.lane)); }
  static F32 set1(float x) {
    return each([&](int) { return x; });
  }
  static F32 mul(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static F32 add(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static F32 sub(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  // The larger, and NaN where a is NaN.
  static F32 not_below(F32 a, F32 low) {
    return each([&](int i) { return low.lane[i] > a.lane[i] ? low.lane[i] : a.lane[i]; });
  }
  static F32 max(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static float reduce_max(F32 v) {
    float largest = v.lane[0];
    for (const float x : v.lane) largest = x > largest ? x : largest;
    return largest;
  }
  static F32 power(F32 shifted) {
    return each([&](int i) { return float_of((bits_of(shifted.lane[i]) << 23) + 0x3f800000u); });
  }
  static F32 from_i8(const int8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
  }
  static F32 fma(F32 a, F32 b, F32 c) {
    return each([&](int i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
  }
  static float reduce_add(F32 v) {
    float sum = 0.0f;
    for (const float x : v.lane) sum += x;
    return sum;
  }
  static F32 from_f16(const uint16_t* p) {
    return each([&](int i) { return f16_to_f32(p[i]); });
  }
  static F32 from_bf16(const uint16_t* p) {
    return each([&](int i) { return bf16_to_f32(p[i]); });
  }

  template <bool kSigned>
  static int code(uint8_t byte) {
    return kSigned ? static_cast<int8_t>(byte) : byte;
  }
  template <bool kSigned>
  static int four(const uint8_t* codes, const int8_t* a) {
    int sum = 0;
    for (int k = 0; k < 4; ++k) sum += code<kSigned>(codes[k]) * a[k];
    return sum;
  }

  // 32 bytes: see RowsAvx2.
  struct Bytes {
    uint8_t lane[32];
  };
  template <typename Body>
  static Bytes each_byte(const Body& body) {
    Bytes b;
    for (int i = 0; i < 32; ++i) b.lane[i] = static_cast<uint8_t>(body(i));
    return b;
  }
  static Bytes load_bytes(const uint8_t* p) {
    Bytes b;
    std::memcpy(b.lane, p, sizeof(b.lane));
    return b;
  }
  static void store_bytes(uint8_t* p, Bytes b) { std::memcpy(p, b.lane, sizeof(b.lane)); }
  static Bytes mask(Bytes b, uint8_t bits) {
    return each_byte([&](int i) { return b.lane[i] & bits; });
  }
  static Bytes either(Bytes a, Bytes b) {
    return each_byte([&](int i) { return a.lane[i] | b.lane[i]; });
  }
  static Bytes all(uint8_t x) {
    return each_byte([&](int) { return x; });
  }
  static Bytes minus(Bytes a, Bytes b) {
    return each_byte([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static Bytes times(Bytes a, Bytes b) {
    return each_byte([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static Bytes at_least(Bytes b, uint8_t x) {
    return each_byte([&](int i) { return b.lane[i] >= x ? 0xff : 0; });
  }
  template <int kBits>
  static Bytes right(Bytes b) {
    return each_byte([&](int i) { return b.lane[i] >> kBits; });
  }
  template <int kBits>
  static Bytes left(Bytes b) {
    return each_byte([&](int i) { return b.lane[i] << kBits; });
  }
  static Bytes nibbles(const uint8_t* p) {
    return each_byte([&](int i) { return i < 16 ? p[i] & 15 : p[i - 16] >> 4; });
  }
  static Bytes each_eight(uint32_t word) {
    return each_byte([&](int i) { return word >> 8 * (i / 8); });
  }
  static Bytes spread(uint32_t bits) {
    return each_byte([&](int i) { return (bits >> i & 1) * 255; });
  }
  static Bytes lookup16(const int8_t (&table)[16], Bytes b) {
    return each_byte([&](int i) { return table[b.lane[i]]; });
  }
  static Bytes nibbles_of_eights(const uint8_t* p) {
    return each_byte([&](int i) { return p[i / 16 * 8 + i % 8] >> (i & 8 ? 4 : 0) & 15; });
  }
  static Bytes pairs_of_bits(const uint8_t* p) {
    return each_byte([&](int i) { return p[i / 4] >> 2 * (i % 4) & 3; });
  }
  static Bytes negate(Bytes b, uint32_t bits) {
    const Bytes minus_one = spread(bits);
    return each_byte([&](int i) { return (b.lane[i] ^ minus_one.lane[i]) - minus_one.lane[i]; });
  }
  static Bytes exclusive(Bytes a, Bytes b) {
    return each_byte([&](int i) { return a.lane[i] ^ b.lane[i]; });
  }
  template <typename Body>
  static Bytes each_word(const Body& body) {
    Bytes b;
    for (int i = 0; i < 8; ++i) store_word(body(i), b.lane + 4 * i);
    return b;
  }
  static uint32_t word(Bytes b, int i) { return load_word(b.lane + 4 * i); }
  template <int kBits>
  static Bytes left_words(Bytes b) {
    return each_word([&](int i) { return word(b, i) << kBits; });
  }
  static Bytes mask_words(Bytes b, uint32_t bits) {
    return each_word([&](int i) { return word(b, i) & bits; });
  }
  static Bytes odd_words(const uint8_t* p) {
    return each_word([&](int i) { return load_word(p + 8 * i + 4); });
  }
  static Bytes above_bit_9(const uint16_t* p) {
    return each_byte([&](int i) { return p[i] >> 9; });
  }
  static Bytes nibbles_in_turn(const uint8_t* p) {
    return each_byte([&](int i) { return p[i / 2] >> 4 * (i % 2) & 15; });
  }
  static void store_pairs(uint16_t* to, Bytes low, Bytes high) {
    for (int i = 0; i < 32; ++i) to[i] = static_cast<uint16_t>(low.lane[i] | high.lane[i] << 8);
  }
  static void transpose8(Bytes (&rows)[8]) {
    Bytes columns[8];
    for (int i = 0; i < 8; ++i) columns[i] = each_word([&](int r) { return word(rows[r], i); });
    for (int i = 0; i < 8; ++i) rows[i] = columns[i];
  }
  template <int kDims, typename Index>
  static Bytes join(const int8_t (*table)[kDims], const Index* at) {
    Bytes b;
    for (int k = 0; k < 32 / kDims; ++k) std::memcpy(b.lane + kDims * k, table[at[k]], kDims);
    return b;
  }
  static float half(uint16_t x) { return f16_to_f32(x); }
  static void scale_eight(uint64_t scales, float d, float* out) {
    for (int i = 0; i < 8; ++i)
      out[i] = d * static_cast<float>(static_cast<int8_t>(scales >> 8 * i & 255));
  }
  static void scale_tops(Bytes words, float d, float* out) {
    for (int i = 0; i < 8; ++i) out[i] = d * static_cast<float>(word(words, i) >> 27 | 1);
  }
  static void scale_halves(uint64_t halves, float d, float* out) {
    for (int i = 0; i < 4; ++i) out[i] = d * f16_to_f32(static_cast<uint16_t>(halves >> 16 * i));
  }

  using F8 = F32;
  static F8 zero8() { return set1(0.0f); }
  static F8 load8(const float* p) { return load(p); }
  static F8 add_pairs8(const float* p) {
    return each([&](int i) { return p[2 * i] + p[2 * i + 1]; });
  }
  static F8 fma8(F8 a, F8 b, F8 c) { return fma(a, b, c); }
  static F8 add8(F8 a, F8 b) {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static F8 mul8(F8 a, F8 b) { return mul(a, b); }
  static F8 set8(float x) { return set1(x); }
  static F8 pair8(const float* pair) {
    return each([&](int i) { return pair[i / 4]; });
  }
  static float sum8(F8 v) { return reduce_add(v); }
  struct Int {
    int32_t lane[kWidth];
  };
  using Part = Int;
  using I8 = Int;
  static I8 zero_i8() { return {}; }
  static F8 to_f8(I8 v) { return to_f32(v); }
  static I8 minus_i8(I8 a, I8 b) {
    for (int i = 0; i < kWidth; ++i) a.lane[i] -= b.lane[i];
    return a;
  }
  template <bool kSigned>
  static I8 dot_bytes(I8 acc, Bytes codes, Bytes a) {
    const auto* values = reinterpret_cast<const int8_t*>(a.lane);
    for (int i = 0; i < kWidth; ++i)
      acc.lane[i] += four<kSigned>(codes.lane + 4 * i, values + 4 * i);
    return acc;
  }

  // Whether types that come in eights (UnpackAfterHalf) are multiplied so.
  static constexpr bool kTakesEights = false;
  static constexpr int kSlices = 1;
  static constexpr int acts(int, int) { return 1; }
  static constexpr int kFloatActs = 1;
  static constexpr bool kUnsignedOnly = false;
  static Int set1_int(int32_t x) {
    Int v;
    for (int32_t& lane : v.lane) lane = x;
    return v;
  }
  static F32 to_f32(Int v) {
    return each([&](int i) { return static_cast<float>(v.lane[i]); });
  }
  template <bool kSigned>
  static Int dot4(Int acc, const uint8_t* codes, const int8_t* a) {
    for (int i = 0; i < kWidth; ++i) acc.lane[i] += four<kSigned>(codes + 4 * i, a);
    return acc;
  }
};

}  // namespace
}  // namespace nibble
