#pragma once

#include <arm_neon.h>

#include <cstdint>

// Four floats in a NEON register; all instructions are in ARMv8.0. Anonymous, as for the other
// instruction sets.
namespace nibble {
namespace {

struct Neon {
  static constexpr int kWidth = 4;
  using F32 = float32x4_t;
  using Mask = uint32x4_t;
  using Words = uint32x4_t;  // one in every lane

  static F32 load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, F32 v) { vst1q_f32(p, v); }
  static F32 set1(float x) { return vdupq_n_f32(x); }
  static F32 add(F32 a, F32 b) { return vaddq_f32(a, b); }
  static F32 sub(F32 a, F32 b) { return vsubq_f32(a, b); }
  static F32 mul(F32 a, F32 b) { return vmulq_f32(a, b); }
  static F32 div(F32 a, F32 b) { return vdivq_f32(a, b); }
  static F32 sqrt(F32 a) { return vsqrtq_f32(a); }
  // To integers, ties to even.
  static F32 round(F32 a) { return vrndnq_f32(a); }
  static F32 abs(F32 a) { return vabsq_f32(a); }
  static F32 min(F32 a, F32 b) { return vminnmq_f32(a, b); }
  static F32 max(F32 a, F32 b) { return vmaxnmq_f32(a, b); }
  // The larger, and NaN where a is NaN.
  static F32 not_below(F32 a, F32 low) { return vmaxq_f32(a, low); }
  static Mask gt(F32 a, F32 b) { return vcgtq_f32(a, b); }
  static Mask equal(F32 a, F32 b) { return vceqq_f32(a, b); }
  static Mask both(Mask a, Mask b) { return vandq_u32(a, b); }
  // In every lane.
  static bool holds(Mask mask) { return vminvq_u32(mask) != 0; }
  // Bit i is lane i.
  static unsigned bits(Mask mask) {
    const int32x4_t places = {0, 1, 2, 3};
    return vaddvq_u32(vshlq_u32(vshrq_n_u32(mask, 31), places));
  }
  // 2^n of integers n that 1.5 * 2^23 was added to.
  static F32 power(F32 shifted) {
    const uint32x4_t bits = vshlq_n_u32(vreinterpretq_u32_f32(shifted), 23);
    return vreinterpretq_f32_u32(vaddq_u32(bits, vdupq_n_u32(0x3f800000)));
  }
  // b where the mask holds, else a.
  static F32 blend(F32 a, F32 b, Mask mask) { return vbslq_f32(mask, b, a); }
  static constexpr bool kLooksUp32 = false;
  // Four rows of four floats become columns; the strides are between rows.
  static void transpose4(const float* from, int stride, float* to, int to_stride) {
    const float32x4x2_t ab = vtrnq_f32(vld1q_f32(from), vld1q_f32(from + stride));
    const float32x4x2_t cd = vtrnq_f32(vld1q_f32(from + 2 * stride), vld1q_f32(from + 3 * stride));
    for (int i = 0; i < 2; ++i) {
      vst1q_f32(to + i * to_stride, vcombine_f32(vget_low_f32(ab.val[i]), vget_low_f32(cd.val[i])));
      vst1q_f32(to + (i + 2) * to_stride,
                vcombine_f32(vget_high_f32(ab.val[i]), vget_high_f32(cd.val[i])));
    }
  }
  // The least of all lanes in every lane.
  static F32 min_all(F32 v) { return vdupq_n_f32(vminnmvq_f32(v)); }
  static float reduce_max(F32 v) { return vmaxnmvq_f32(v); }
  static float reduce_min(F32 v) { return vminnmvq_f32(v); }

  static void store_low_bytes(void* to, uint32x4_t q) {
    const uint16x4_t words = vmovn_u32(q);
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(words, words));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
    __builtin_memcpy(to, &four, sizeof(four));
  }
  static uint8x8_t load_four_bytes(const void* p) {
    uint32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return vreinterpret_u8_u32(vdup_n_u32(four));
  }

  // Truncated to integers 0 .. most; what no int holds becomes 0 (the conversion saturates, so it
  // is masked before).
  static void store_codes(uint8_t* to, F32 v, int most) {
    const uint32x4_t inside = vcltq_f32(v, vdupq_n_f32(2147483648.0f));
    int32x4_t q = vandq_s32(vcvtq_s32_f32(v), vreinterpretq_s32_u32(inside));
    q = vminq_s32(vmaxq_s32(q, vdupq_n_s32(0)), vdupq_n_s32(most));
    store_low_bytes(to, vreinterpretq_u32_s32(q));
  }
  // Rounded half away from zero (fcvtas); what does not lie in -127 .. 127 becomes 0.
  static void store_rounded(int8_t* to, F32 v) {
    const int32x4_t q = vcvtaq_s32_f32(v);
    const uint32x4_t inside =
        vandq_u32(vcltq_s32(q, vdupq_n_s32(128)), vcgtq_s32(q, vdupq_n_s32(-128)));
    store_low_bytes(to, vandq_u32(vreinterpretq_u32_s32(q), inside));
  }
  // nearest_int of super_block.h, kept in low .. high, as floats.
  static F32 nearest(F32 v, int low, int high) {
    const int32x4_t bits = vreinterpretq_s32_f32(vaddq_f32(v, vdupq_n_f32(12582912.0f)));
    int32x4_t q = vsubq_s32(vandq_s32(bits, vdupq_n_s32(0x007fffff)), vdupq_n_s32(0x00400000));
    q = vminq_s32(vmaxq_s32(q, vdupq_n_s32(low)), vdupq_n_s32(high));
    return vcvtq_f32_s32(q);
  }

  static Words load_words(const uint16_t* p) { return vmovl_u16(vld1_u16(p)); }
  // Of integers that a word holds.
  static void store_words(uint16_t* p, F32 v) { vst1_u16(p, vmovn_u32(vcvtq_u32_f32(v))); }
  static Words shift_right(Words a, int bits) { return vshlq_u32(a, vdupq_n_s32(-bits)); }
  // Entry `index` % kSize of a table in every lane; kSize is 4 or 8. Four bytes are looked up.
  template <int kSize>
  static F32 lookup(const float* table, Words index) {
    const uint32x4_t at = vandq_u32(index, vdupq_n_u32(kSize - 1));
    const uint8x16_t bytes =
        vreinterpretq_u8_u32(vmlaq_u32(vdupq_n_u32(0x03020100), at, vdupq_n_u32(0x04040404)));
    uint8x16x2_t halves;
    halves.val[0] = vreinterpretq_u8_f32(vld1q_f32(table));
    if constexpr (kSize == 4) return vreinterpretq_f32_u8(vqtbl1q_u8(halves.val[0], bytes));
    halves.val[1] = vreinterpretq_u8_f32(vld1q_f32(table + kSize - 4));
    return vreinterpretq_f32_u8(vqtbl2q_u8(halves, bytes));
  }

  static F32 from_u8(const uint8_t* p) {
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(load_four_bytes(p)))));
  }
  static F32 from_i8(const int8_t* p) {
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load_four_bytes(p))))));
  }
  static F32 from_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static void to_f16(uint16_t* p, F32 v) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v))); }
  static F32 from_bf16(const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  }
  // Rounded to even by adding 0x7fff and the lowest bit that stays.
  static void to_bf16(uint16_t* p, F32 v) {
    const uint32x4_t bits = vreinterpretq_u32_f32(v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t sum = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), sum, quiet), 16));
  }
};

}  // namespace
}  // namespace nibble
