#pragma once

#include <cstring>

#include "base/half.h"
#include "kernels/simd/arm_neon.h"

// Products of bytes on Arm, without and with the dot product instruction. Anonymous: see
// x86_avx2.h.
namespace nibble {
namespace {

struct DotNeon : Neon {
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
  static Bytes minus(Bytes b, uint8_t x) {
    const uint8x16_t less = vdupq_n_u8(x);
    return {{vsubq_u8(b.val[0], less), vsubq_u8(b.val[1], less)}};
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
  static Bytes spread(const uint8_t* p) {
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    const uint8x16_t low = vcombine_u8(vdup_n_u8(p[0]), vdup_n_u8(p[1]));
    const uint8x16_t high = vcombine_u8(vdup_n_u8(p[2]), vdup_n_u8(p[3]));
    return {{vtstq_u8(low, bit), vtstq_u8(high, bit)}};
  }
  static float half(uint16_t x) { return f16_to_f32(x); }
  static void scale_eight(const int8_t* scales, float d, float* out) {
    const int16x8_t wide = vmovl_s8(vld1_s8(scales));
    vst1q_f32(out, vmulq_n_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), d));
    vst1q_f32(out + 4, vmulq_n_f32(vcvtq_f32_s32(vmovl_high_s16(wide)), d));
  }

  using F8 = float32x4x2_t;
  static F8 zero8() { return {{vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)}}; }
  static F8 fma8(F8 a, F8 b, F8 c) {
    return {{vfmaq_f32(c.val[0], a.val[0], b.val[0]), vfmaq_f32(c.val[1], a.val[1], b.val[1])}};
  }
  static F8 mul8(F8 a, F8 b) {
    return {{vmulq_f32(a.val[0], b.val[0]), vmulq_f32(a.val[1], b.val[1])}};
  }
  static F8 set8(float x) { return {{vdupq_n_f32(x), vdupq_n_f32(x)}}; }
  static F8 pair8(const float* pair) { return {{vdupq_n_f32(pair[0]), vdupq_n_f32(pair[1])}}; }
  static float sum8(F8 v) { return vaddvq_f32(vaddq_f32(v.val[0], v.val[1])); }
  using I8 = int32x4x2_t;
  static I8 zero_i8() { return {{vdupq_n_s32(0), vdupq_n_s32(0)}}; }
  static F8 to_f8(I8 v) { return {{vcvtq_f32_s32(v.val[0]), vcvtq_f32_s32(v.val[1])}}; }
  static Bytes all(uint8_t x) { return {{vdupq_n_u8(x), vdupq_n_u8(x)}}; }
  static I8 minus_i8(I8 a, I8 b) {
    return {{vsubq_s32(a.val[0], b.val[0]), vsubq_s32(a.val[1], b.val[1])}};
  }
  template <bool kSigned>
  static I8 dot32(I8 acc, Bytes codes, const int8_t* a) {
    return {{add_fours(acc.val[0], vreinterpretq_s8_u8(codes.val[0]), vld1q_s8(a)),
             add_fours(acc.val[1], vreinterpretq_s8_u8(codes.val[1]), vld1q_s8(a + 16))}};
  }

  // 12 sums of integers and 12 of floats leave 8 of the 32 registers.
  static constexpr int kSlices = 2;
  static constexpr int kActs = 6;
  static constexpr bool kUnsignedOnly = false;
  using Int = int32x4_t;
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
  static I8 dot32(I8 acc, Bytes codes, const int8_t* a) {
    return {{vdotq_s32(acc.val[0], vreinterpretq_s8_u8(codes.val[0]), vld1q_s8(a)),
             vdotq_s32(acc.val[1], vreinterpretq_s8_u8(codes.val[1]), vld1q_s8(a + 16))}};
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

}  // namespace
}  // namespace nibble
