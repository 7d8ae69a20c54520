#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/block32.h"
#include "formats/formats.h"

namespace nibble {

constexpr int kValuesNVFP4 = 64;
constexpr int kGroupNVFP4 = 16;
constexpr int kGroupsNVFP4 = kValuesNVFP4 / kGroupNVFP4;

// 64 floats of 4 bits (fp4.h) in groups of 16, each with a scale of its own: an unsigned float of 4
// bits of exponent and 3 of mantissa (UE4M3).
struct BlockNVFP4 {
  uint8_t d[4];
  uint8_t qs[32];  // byte j of a group's eight holds code j in its low half, code j + 8 in its high
};
static_assert(sizeof(BlockNVFP4) == 36, "as in files");

// The f16 that are 1 / 256 of four scales: both have subnormals. Their NaN (0x7f) counts as 0, as
// everywhere in the field, and their highest bit is not looked at.
static inline uint64_t nvfp4_scales_as_f16(const uint8_t scales[4]) {
  uint64_t words = 0;
  for (int g = 0; g < 4; ++g) words |= static_cast<uint64_t>(scales[g]) << 16 * g;
  // Bit 8 is set where it is not NaN.
  const uint64_t others = (words ^ 0x007f007f007f007fu) + 0x00ff00ff00ff00ffu;
  return (words << 7) & (others >> 8 & 0x0001000100010001u) * 0x3f80;
}

// Half the value of a scale is this times its f16.
constexpr float kNvfp4HalfScale = 128.0f;

static inline float nvfp4_half_scale(uint8_t scale) {
  const uint8_t scales[4] = {scale};
  return f16_to_f32(static_cast<uint16_t>(nvfp4_scales_as_f16(scales))) * kNvfp4HalfScale;
}

constexpr uint8_t kLargestScaleNVFP4 = 0x7e;  // 448

// A group's largest magnitude over 6, the largest value of a code, as UE4M3. Halfway goes up. The
// reference does not use the seven scales under the largest, 256 .. 416, and rounds subnormals to
// at most 7 / 512; bytes have to be equal.
static inline uint8_t nvfp4_scale(float amax) {
  const float x = amax / 6.0f;
  if (!(x > 0.0f)) return 0;
  if (x < 0.015625f) {
    const int mantissa = static_cast<int>(x * 512.0f + 0.5f);
    return static_cast<uint8_t>(mantissa < 7 ? mantissa : 7);
  }
  // Exponent and mantissa side by side, so that rounding up carries from one into the other.
  const uint32_t code = (bits_of(x) - (120u << 23) + (1u << 19)) >> 20;
  return code < 15u << 3 ? static_cast<uint8_t>(code) : kLargestScaleNVFP4;
}

static inline void pack_nvfp4(const uint8_t codes[kValuesNVFP4], BlockNVFP4* block) {
  for (int g = 0; g < kGroupsNVFP4; ++g) {
    const uint8_t* group = codes + kGroupNVFP4 * g;
    store_codes(load_codes(group) | load_codes(group + 8) << 4, block->qs + 8 * g);
  }
}

static inline void unpack_nvfp4(const BlockNVFP4& block, uint8_t codes[64]) {
  for (int j = 0; j < 32; ++j) {
    uint8_t* group = codes + 16 * (j / 8) + j % 8;
    group[0] = block.qs[j] & 15;
    group[8] = block.qs[j] >> 4;
  }
}

void quantize_row_NVFP4(const float* x, void* blocks, int64_t n);
void dequantize_row_NVFP4(const void* blocks, float* x, int64_t n);
int64_t count_invalid_NVFP4(const void* blocks, int64_t n);

}  // namespace nibble
