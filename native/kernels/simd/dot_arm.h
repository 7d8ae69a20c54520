#pragma once

#include <cstring>
#include <type_traits>

#include "kernels/simd/arm_neon.h"
#include "kernels/simd/sums.h"

// Products of bytes on Arm, without and with the dot product instruction. Anonymous: see
// x86_avx2.h.
namespace nibble {
namespace {

struct DotNeon : Neon, SumsOf32Bits {
  static F32 fma(F32 a, F32 b, F32 c) { return vfmaq_f32(c, a, b); }
  static float reduce_add(F32 v) { return vaddvq_f32(v); }

  // Sums of four neighbouring products. Codes fit a signed byte whether they are signed or not;
  // two products of 128 * 127 fit 16 bits, and four are added in 32.
  static int32x4_t fours(int8x16_t codes, int8x16_t a) {
    const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(a));
    const int16x8_t high = vmull_high_s8(codes, a);
    return vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
  }
  static int32x4_t add_fours(int32x4_t acc, int8x16_t codes, int8x16_t a) {
    return vaddq_s32(acc, fours(codes, a));
  }

  // 32 bytes in two registers: see RowsAvx2.
  using Bytes = uint8x16x2_t;
  static Bytes load_bytes(const uint8_t* p) { return {{vld1q_u8(p), vld1q_u8(p + 16)}}; }
  static void store_bytes(uint8_t* p, Bytes b) {
    vst1q_u8(p, b.val[0]);
    vst1q_u8(p + 16, b.val[1]);
  }
  static Bytes mask(Bytes b, uint8_t bits) {
    const uint8x16_t m = vdupq_n_u8(bits);
    return {{vandq_u8(b.val[0], m), vandq_u8(b.val[1], m)}};
  }
  static Bytes either(Bytes a, Bytes b) {
    return {{vorrq_u8(a.val[0], b.val[0]), vorrq_u8(a.val[1], b.val[1])}};
  }
  static Bytes all(uint8_t x) { return {{vdupq_n_u8(x), vdupq_n_u8(x)}}; }
  static Bytes minus(Bytes a, Bytes b) {
    return {{vsubq_u8(a.val[0], b.val[0]), vsubq_u8(a.val[1], b.val[1])}};
  }
  static Bytes times(Bytes a, Bytes b) {
    return {{vmulq_u8(a.val[0], b.val[0]), vmulq_u8(a.val[1], b.val[1])}};
  }
  static Bytes at_least(Bytes b, uint8_t x) {
    return {{vcgeq_u8(b.val[0], vdupq_n_u8(x)), vcgeq_u8(b.val[1], vdupq_n_u8(x))}};
  }
  template <int kBits>
  static Bytes right(Bytes b) {
    return {{vshrq_n_u8(b.val[0], kBits), vshrq_n_u8(b.val[1], kBits)}};
  }
  template <int kBits>
  static Bytes left(Bytes b) {
    return {{vshlq_n_u8(b.val[0], kBits), vshlq_n_u8(b.val[1], kBits)}};
  }
  static Bytes nibbles(const uint8_t* p) {
    const uint8x16_t both = vld1q_u8(p);
    return {{vandq_u8(both, vdupq_n_u8(0x0f)), vshrq_n_u8(both, 4)}};
  }
  struct TwoBytes {
    Bytes first;
    Bytes second;
  };
  static Bytes load_two(const uint8_t* low, const uint8_t* high) {
    return {{vld1q_u8(low), vld1q_u8(high)}};
  }
  static TwoBytes nibbles_of_two(const uint8_t* low, const uint8_t* high) {
    const Bytes both = load_two(low, high);
    return {mask(both, 0x0f), right<4>(both)};
  }
  static Bytes add_where(Bytes b, uint32_t bits, uint8_t x) {
    return either(b, mask(spread(bits), x));
  }
  static Bytes each_eight(uint32_t word) {
    const uint8x16_t bytes = vreinterpretq_u8_u32(vdupq_n_u32(word));
    const uint8x16_t which = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1));
    return {{vqtbl1q_u8(bytes, which), vqtbl1q_u8(bytes, vaddq_u8(which, vdupq_n_u8(2)))}};
  }
  static Bytes spread(uint32_t bits) {
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    const Bytes bytes = each_eight(bits);
    return {{vtstq_u8(bytes.val[0], bit), vtstq_u8(bytes.val[1], bit)}};
  }
  static Bytes table16(const int8_t (&table)[16]) {
    const uint8x16_t entries = vreinterpretq_u8_s8(vld1q_s8(table));
    return {{entries, entries}};
  }
  static Bytes entries(Bytes table, Bytes b) {
    return {{vqtbl1q_u8(table.val[0], b.val[0]), vqtbl1q_u8(table.val[0], b.val[1])}};
  }
  static Bytes lookup16(const int8_t (&table)[16], Bytes b) { return entries(table16(table), b); }
  static Bytes nibbles_of_eights(const uint8_t* p) {
    const uint8x16_t both = vld1q_u8(p);
    const uint8x16_t low = vandq_u8(both, vdupq_n_u8(0x0f));
    const uint8x16_t high = vshrq_n_u8(both, 4);
    return {{vcombine_u8(vget_low_u8(low), vget_low_u8(high)),
             vcombine_u8(vget_high_u8(low), vget_high_u8(high))}};
  }
  static Bytes pairs_of_bits(const uint8_t* p) {
    const uint16x8_t words = vmovl_u8(vld1_u8(p));
    const auto spread_four = [](uint16x4_t bytes) {
      uint32x4_t b = vmovl_u16(bytes);
      b = vorrq_u32(b, vshlq_n_u32(b, 6));
      return vreinterpretq_u8_u32(vorrq_u32(b, vshlq_n_u32(b, 12)));
    };
    return mask({{spread_four(vget_low_u16(words)), spread_four(vget_high_u16(words))}}, 0x03);
  }
  static Bytes negate(Bytes b, uint32_t bits) {
    const Bytes minus_one = spread(bits);
    return {{vsubq_u8(veorq_u8(b.val[0], minus_one.val[0]), minus_one.val[0]),
             vsubq_u8(veorq_u8(b.val[1], minus_one.val[1]), minus_one.val[1])}};
  }
  static Bytes exclusive(Bytes a, Bytes b) {
    return {{veorq_u8(a.val[0], b.val[0]), veorq_u8(a.val[1], b.val[1])}};
  }
  static Bytes from_words(uint32x4_t low, uint32x4_t high) {
    return {{vreinterpretq_u8_u32(low), vreinterpretq_u8_u32(high)}};
  }
  template <int kBits>
  static Bytes left_words(Bytes b) {
    return from_words(vshlq_n_u32(vreinterpretq_u32_u8(b.val[0]), kBits),
                      vshlq_n_u32(vreinterpretq_u32_u8(b.val[1]), kBits));
  }
  static Bytes mask_words(Bytes b, uint32_t bits) {
    const uint8x16_t m = vreinterpretq_u8_u32(vdupq_n_u32(bits));
    return {{vandq_u8(b.val[0], m), vandq_u8(b.val[1], m)}};
  }
  static Bytes odd_words(const uint8_t* p) {
    const auto words = [p](int at) { return vreinterpretq_u32_u8(vld1q_u8(p + at)); };
    return from_words(vuzp2q_u32(words(0), words(16)), vuzp2q_u32(words(32), words(48)));
  }
  static Bytes above_bit_9(const uint16_t* p) {
    const auto eight = [p](int at) { return vmovn_u16(vshrq_n_u16(vld1q_u16(p + at), 9)); };
    return {{vcombine_u8(eight(0), eight(8)), vcombine_u8(eight(16), eight(24))}};
  }
  static Bytes nibbles_in_turn(const uint8_t* p) {
    const uint8x16_t bytes = vld1q_u8(p);
    const uint8x16_t low = vandq_u8(bytes, vdupq_n_u8(0x0f));
    const uint8x16_t high = vshrq_n_u8(bytes, 4);
    return {{vzip1q_u8(low, high), vzip2q_u8(low, high)}};
  }
  static void store_pairs(uint16_t* to, Bytes low, Bytes high) {
    for (int i = 0; i < 2; ++i) {
      vst1q_u16(to + 16 * i, vreinterpretq_u16_u8(vzip1q_u8(low.val[i], high.val[i])));
      vst1q_u16(to + 16 * i + 8, vreinterpretq_u16_u8(vzip2q_u8(low.val[i], high.val[i])));
    }
  }
  static void transpose8(Bytes (&rows)[8]) {
    // Four by four, a quarter at a time; the quarters off the diagonal change places.
    uint8x16_t turned[8][2];
    for (int quarter = 0; quarter < 4; ++quarter) {
      const int from = 4 * (quarter / 2);
      const int half = quarter % 2;
      const auto row = [&](int i) { return vreinterpretq_u32_u8(rows[from + i].val[half]); };
      const auto pair = [](uint32x4_t a, uint32x4_t b, bool second) {
        return vreinterpretq_u64_u32(second ? vtrn2q_u32(a, b) : vtrn1q_u32(a, b));
      };
      for (int odd = 0; odd < 2; ++odd) {
        const uint64x2_t low = pair(row(0), row(1), odd == 1);
        const uint64x2_t high = pair(row(2), row(3), odd == 1);
        turned[4 * half + odd][quarter / 2] = vreinterpretq_u8_u64(vtrn1q_u64(low, high));
        turned[4 * half + odd + 2][quarter / 2] = vreinterpretq_u8_u64(vtrn2q_u64(low, high));
      }
    }
    for (int i = 0; i < 8; ++i) rows[i] = {{turned[i][0], turned[i][1]}};
  }
  template <typename Index>
  static Bytes join(const int8_t (*table)[8], const Index* at) {
    const auto point = [&](int k) { return vreinterpret_u8_s8(vld1_s8(table[at[k]])); };
    return {{vcombine_u8(point(0), point(1)), vcombine_u8(point(2), point(3))}};
  }
  template <typename Index>
  static Bytes join(const int8_t (*table)[4], const Index* at) {
    uint32_t words[8];
    for (int i = 0; i < 8; ++i) std::memcpy(words + i, table[at[i]], sizeof(words[i]));
    const auto four = [&](int i) {
      uint32x4_t v = vdupq_n_u32(words[i]);
      v = vsetq_lane_u32(words[i + 1], v, 1);
      v = vsetq_lane_u32(words[i + 2], v, 2);
      return vsetq_lane_u32(words[i + 3], v, 3);
    };
    return from_words(four(0), four(4));
  }
  static float half(uint16_t x) {
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(x))), 0);
  }
  static void scale_eight(uint64_t scales, float d, float* out) {
    const int16x8_t wide = vmovl_s8(vcreate_s8(scales));
    vst1q_f32(out, vmulq_n_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), d));
    vst1q_f32(out + 4, vmulq_n_f32(vcvtq_f32_s32(vmovl_high_s16(wide)), d));
  }
  static float32x4x2_t scaled_words(int16x8_t wide, float d) {
    return {{vmulq_n_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), d),
             vmulq_n_f32(vcvtq_f32_s32(vmovl_high_s16(wide)), d)}};
  }
  static float32x4x2_t scaled8(uint64_t scales, float d) {
    return scaled_words(vmovl_s8(vcreate_s8(scales)), d);
  }
  static void scale_tops(Bytes words, float d, float* out) {
    for (int i = 0; i < 2; ++i) {
      const uint32x4_t top = vshrq_n_u32(vreinterpretq_u32_u8(words.val[i]), 27);
      const float32x4_t odd = vcvtq_f32_u32(vorrq_u32(top, vdupq_n_u32(1)));
      vst1q_f32(out + 4 * i, vmulq_n_f32(odd, d));
    }
  }
  static void scale_halves(uint64_t halves, float d, float* out) {
    vst1q_f32(out, vmulq_n_f32(vcvt_f32_f16(vreinterpret_f16_u16(vcreate_u16(halves))), d));
  }

  using F8 = float32x4x2_t;
  static constexpr bool kTakesEights = true;
  static F8 zero8() { return {{vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)}}; }
  static F8 load8(const float* p) { return {{vld1q_f32(p), vld1q_f32(p + 4)}}; }
  template <int kStride>
  static F8 eight_halves(const uint16_t* p) {
    constexpr int kStep = kStride / 2;
    uint16x8_t all = vld1q_dup_u16(p);
    all = vld1q_lane_u16(p + kStep, all, 1);
    all = vld1q_lane_u16(p + 2 * kStep, all, 2);
    all = vld1q_lane_u16(p + 3 * kStep, all, 3);
    all = vld1q_lane_u16(p + 4 * kStep, all, 4);
    all = vld1q_lane_u16(p + 5 * kStep, all, 5);
    all = vld1q_lane_u16(p + 6 * kStep, all, 6);
    all = vld1q_lane_u16(p + 7 * kStep, all, 7);
    const float16x8_t halves = vreinterpretq_f16_u16(all);
    return {{vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)}};
  }
  static F8 eight_powers(uint64_t exponents) {
    const uint16x8_t wide = vmovl_u8(vcreate_u8(exponents));
    const auto powers = [](uint32x4_t e) {
      const uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, vdupq_n_u32(1)), 23);
      const uint32x4_t small = vshlq_u32(vdupq_n_u32(0x00200000), vreinterpretq_s32_u32(e));
      return vreinterpretq_f32_u32(vbslq_u32(vcltq_u32(e, vdupq_n_u32(2)), small, normal));
    };
    return {{powers(vmovl_u16(vget_low_u16(wide))), powers(vmovl_high_u16(wide))}};
  }
  template <int k>
  static F8 of_fours(F8 v) {
    return {{vdupq_laneq_f32(v.val[0], k), vdupq_laneq_f32(v.val[1], k)}};
  }
  template <int p>
  static F8 of_pairs(F8 v) {
    const float32x4_t four = v.val[p / 2];
    return {{vdupq_laneq_f32(four, 2 * p % 4), vdupq_laneq_f32(four, 2 * p % 4 + 1)}};
  }
  static F8 add_pairs8(const float* p) {
    return {{vpaddq_f32(vld1q_f32(p), vld1q_f32(p + 4)),
             vpaddq_f32(vld1q_f32(p + 8), vld1q_f32(p + 12))}};
  }
  static F8 fma8(F8 a, F8 b, F8 c) {
    return {{vfmaq_f32(c.val[0], a.val[0], b.val[0]), vfmaq_f32(c.val[1], a.val[1], b.val[1])}};
  }
  static F8 add8(F8 a, F8 b) {
    return {{vaddq_f32(a.val[0], b.val[0]), vaddq_f32(a.val[1], b.val[1])}};
  }
  static F8 mul8(F8 a, F8 b) {
    return {{vmulq_f32(a.val[0], b.val[0]), vmulq_f32(a.val[1], b.val[1])}};
  }
  static F8 set8(float x) { return {{vdupq_n_f32(x), vdupq_n_f32(x)}}; }
  static F8 all_half(uint16_t x) { return set8(half(x)); }
  static F8 whole8(uint64_t bytes) { return scaled8(bytes, 1.0f); }
  static F8 pair8(const float* pair) { return {{vdupq_n_f32(pair[0]), vdupq_n_f32(pair[1])}}; }
  static float sum8(F8 v) { return vaddvq_f32(vaddq_f32(v.val[0], v.val[1])); }
  using I8 = int32x4x2_t;
  static I8 zero_i8() { return {{vdupq_n_s32(0), vdupq_n_s32(0)}}; }
  static F8 to_f8(I8 v) { return {{vcvtq_f32_s32(v.val[0]), vcvtq_f32_s32(v.val[1])}}; }
  static I8 minus_i8(I8 a, I8 b) {
    return {{vsubq_s32(a.val[0], b.val[0]), vsubq_s32(a.val[1], b.val[1])}};
  }
  // Of groups 0 .. 3 and 4 .. 7: for their first 16 values, and for the others.
  struct Scales {
    int32x4_t first[2];
    int32x4_t second[2];
  };
  static Scales scales_of(const uint64_t (&groups)[1]) {
    const int16x8_t wide = vmovl_s8(vcreate_s8(groups[0]));
    const int32x4_t low = vmovl_s16(vget_low_s16(wide));
    const int32x4_t high = vmovl_high_s16(wide);
    return {{low, high}, {low, high}};
  }
  static Scales scales_of(const uint64_t (&halves)[2]) {
    // As 16 bits each, two lie in a lane: that of a group's first 16 values is the lower one.
    Scales scales;
    for (int i = 0; i < 2; ++i) {
      const int16x8_t wide = vmovl_s8(vcreate_s8(halves[i]));
      const int32x4_t pairs = vreinterpretq_s32_s16(wide);
      scales.first[i] = vshrq_n_s32(vshlq_n_s32(pairs, 16), 16);
      scales.second[i] = vshrq_n_s32(pairs, 16);
    }
    return scales;
  }
  template <int p>
  static I8 weigh(I8 even, I8 odd, const Scales& scales) {
    const int32x4_t first = scales.first[p / 2];
    const int32x4_t second = scales.second[p / 2];
    constexpr int a = 2 * p % 4;
    const auto weighted = [&](I8 dots, auto at) {
      constexpr int lane = decltype(at)::value;
      return vmlaq_laneq_s32(vmulq_laneq_s32(dots.val[0], first, lane), dots.val[1], second, lane);
    };
    return {{weighted(even, std::integral_constant<int, a>()),
             weighted(odd, std::integral_constant<int, a + 1>())}};
  }
  template <bool kSigned>
  static I8 dot_bytes(I8 acc, Bytes codes, Bytes a) {
    return {
        {add_fours(acc.val[0], vreinterpretq_s8_u8(codes.val[0]), vreinterpretq_s8_u8(a.val[0])),
         add_fours(acc.val[1], vreinterpretq_s8_u8(codes.val[1]), vreinterpretq_s8_u8(a.val[1]))}};
  }

  // 8 sums of integers and 16 of floats leave 8 of the 32 registers.
  static constexpr int kSlices = 2;
  static constexpr int acts(int, int) { return 4; }
  using Int = int32x4_t;
  using Part = Int;
  static constexpr int kFloatActs = 6;
  static constexpr bool kUnsignedOnly = false;
  static Int set1_int(int32_t x) { return vdupq_n_s32(x); }
  static F32 to_f32(Int v) { return vcvtq_f32_s32(v); }
  template <bool kSigned>
  static Int dot4(Int acc, const uint8_t* codes, const int8_t* a) {
    int32_t four;
    std::memcpy(&four, a, sizeof(four));
    return add_fours(acc, vld1q_s8(reinterpret_cast<const int8_t*>(codes)),
                     vreinterpretq_s8_s32(vdupq_n_s32(four)));
  }
};

#ifdef __ARM_FEATURE_DOTPROD
struct DotNeonDot : DotNeon {
  template <bool kSigned>
  static I8 dot_bytes(I8 acc, Bytes codes, Bytes a) {
    return {
        {vdotq_s32(acc.val[0], vreinterpretq_s8_u8(codes.val[0]), vreinterpretq_s8_u8(a.val[0])),
         vdotq_s32(acc.val[1], vreinterpretq_s8_u8(codes.val[1]), vreinterpretq_s8_u8(a.val[1]))}};
  }
  template <bool kSigned>
  static Int dot4(Int acc, const uint8_t* codes, const int8_t* a) {
    int32_t four;
    std::memcpy(&four, a, sizeof(four));
    return vdotq_s32(acc, vld1q_s8(reinterpret_cast<const int8_t*>(codes)),
                     vreinterpretq_s8_s32(vdupq_n_s32(four)));
  }
};
#endif

#ifdef __ARM_FEATURE_MATMUL_INT8
// smmla makes four sums at once: of two rows of eight codes and two of eight activations.
struct DotNeonI8mm : DotNeonDot {
  static constexpr bool kMultipliesPairs = true;

  // dots[s][a] += codes of slice s . values of row a, over kCount of them. Codes lie in fours of
  // neighbouring values, one row after another: two fours make eights of two rows.
  template <int kPanelRows, int kCount, int kActs>
  static void add_pairs(const uint8_t* codes, const int8_t* values, int64_t n,
                        Int (&dots)[kSlices][kActs]) {
    Int tiles[kSlices][2][kActs / 2];  // rows 0 and 1, then 2 and 3: [row][activation row]
    for (auto& slice : tiles) {
      for (auto& rows : slice) {
        for (Int& tile : rows) tile = vdupq_n_s32(0);
      }
    }
    for (int k = 0; k < kCount; k += 8) {
      int8x16_t pairs[kActs / 2];
      for (int p = 0; p < kActs / 2; ++p) {
        const int8_t* first = values + 2 * p * n + k;
        pairs[p] = vcombine_s8(vld1_s8(first), vld1_s8(first + n));
      }
      for (int s = 0; s < kSlices; ++s) {
        const uint8_t* four = codes + k * kPanelRows + s * 4 * kWidth;
        const int32x4_t low = vreinterpretq_s32_u8(vld1q_u8(four));
        const int32x4_t high = vreinterpretq_s32_u8(vld1q_u8(four + 4 * kPanelRows));
        const int8x16_t rows[2] = {vreinterpretq_s8_s32(vzip1q_s32(low, high)),
                                   vreinterpretq_s8_s32(vzip2q_s32(low, high))};
        for (int p = 0; p < kActs / 2; ++p) {
          for (int i = 0; i < 2; ++i)
            tiles[s][i][p] = vmmlaq_s32(tiles[s][i][p], rows[i], pairs[p]);
        }
      }
    }
    for (int s = 0; s < kSlices; ++s) {
      for (int p = 0; p < kActs / 2; ++p) {
        const auto& [low, high] = tiles[s];
        dots[s][2 * p] = vaddq_s32(dots[s][2 * p], vuzp1q_s32(low[p], high[p]));
        dots[s][2 * p + 1] = vaddq_s32(dots[s][2 * p + 1], vuzp2q_s32(low[p], high[p]));
      }
    }
  }
};
#endif

}  // namespace
}  // namespace nibble
