#include "formats/nvfp4.h"

#include "formats/fp4.h"
#include "formats/magnitude.h"

namespace nibble {
void quantize_row_NVFP4(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockNVFP4*>(blocks);
  for (int64_t i = 0; i < n; i += kValuesNVFP4, ++block) {
    uint8_t codes[kValuesNVFP4];
    for (int g = 0; g < kGroupsNVFP4; ++g) {
      const int at = kGroupNVFP4 * g;
      block->d[g] = nvfp4_scale(largest_magnitude(x + i + at, kGroupNVFP4));
      const float d = nvfp4_half_scale(block->d[g]);
      for (int j = at; j < at + kGroupNVFP4; ++j) codes[j] = nearest_fp4(x[i + j], d);
    }
    pack_nvfp4(codes, block);
  }
}

void dequantize_row_NVFP4(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockNVFP4*>(blocks);
  for (int64_t i = 0; i < n; i += kValuesNVFP4, ++block) {
    uint8_t codes[kValuesNVFP4];
    unpack_nvfp4(*block, codes);
    for (int j = 0; j < kValuesNVFP4; ++j) {
      x[i + j] =
          static_cast<float>(kFp4Values[codes[j]]) * nvfp4_half_scale(block->d[j / kGroupNVFP4]);
    }
  }
}

// Every byte is a scale.
int64_t count_invalid_NVFP4(const void*, int64_t) { return 0; }

}  // namespace nibble
