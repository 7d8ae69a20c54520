#include "formats/nvfp4.h"

#include "formats/fp4.h"
#include "formats/magnitude.h"

namespace nibble {
namespace {

constexpr int kValues = 64;
constexpr int kGroup = 16;
constexpr int kGroups = kValues / kGroup;

constexpr uint8_t kLargestScale = 0x7e;  // 448

// x to UE4M3. Halfway goes up. The reference does not use the seven scales under the largest, 256
// .. 416, and rounds subnormals to at most 7 / 512; bytes have to be equal.
uint8_t scale_of(float x) {
  if (!(x > 0.0f)) return 0;
  if (x < 0.015625f) {
    const int mantissa = static_cast<int>(x * 512.0f + 0.5f);
    return static_cast<uint8_t>(mantissa < 7 ? mantissa : 7);
  }
  // Exponent and mantissa side by side, so that rounding up carries from one into the other.
  const uint32_t code = (bits_of(x) - (120u << 23) + (1u << 19)) >> 20;
  return code < 15u << 3 ? static_cast<uint8_t>(code) : kLargestScale;
}

}  // namespace

// The scale of a group is amax / 6, as 6 is the largest value of a code.
void quantize_row_NVFP4(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockNVFP4*>(blocks);
  for (int64_t i = 0; i < n; i += kValues, ++block) {
    for (int g = 0; g < kGroups; ++g) {
      const float* group = x + i + kGroup * g;
      block->d[g] = scale_of(largest_magnitude(group, kGroup) / 6.0f);
      const float d = nvfp4_half_scale(block->d[g]);
      for (int j = 0; j < kGroup / 2; ++j) {
        block->qs[kGroup / 2 * g + j] = static_cast<uint8_t>(
            nearest_fp4(group[j], d) | nearest_fp4(group[j + kGroup / 2], d) << 4);
      }
    }
  }
}

void dequantize_row_NVFP4(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockNVFP4*>(blocks);
  for (int64_t i = 0; i < n; i += kValues, ++block) {
    uint8_t codes[kValues];
    unpack_nvfp4(*block, codes);
    for (int j = 0; j < kValues; ++j) {
      x[i + j] = static_cast<float>(kFp4Values[codes[j]]) * nvfp4_half_scale(block->d[j / kGroup]);
    }
  }
}

// Every byte is a scale.
int64_t count_invalid_NVFP4(const void*, int64_t) { return 0; }

}  // namespace nibble
