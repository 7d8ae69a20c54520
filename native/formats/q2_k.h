#pragma once

#include <cstdint>

#include "formats/affine_groups.h"
#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 16 groups of 16: d scale q - dmin min, q of 2 bits. Packing: k_packing.h.
struct BlockQ2_K {
  uint8_t scales[kSuperBlock / 16];  // scale in the low half, min in the high one
  uint8_t qs[kSuperBlock / 4];
  uint16_t d;     // f16
  uint16_t dmin;  // f16
};
static_assert(sizeof(BlockQ2_K) == 84, "as in files");

constexpr int kMostQ2_K = 3;
constexpr int kMostScaleQ2_K = 15;
constexpr float kImportantShareQ2_K = 1.0f;  // see search_important_groups
constexpr AffineTrials kTrialsQ2_K = {-0.5f, 0.1f, 15, true};

static inline void pack_q2_k_scales(const uint8_t scales[16], const uint8_t mins[16],
                                    uint8_t packed[16]) {
  for (int g = 0; g < 16; ++g) packed[g] = static_cast<uint8_t>(scales[g] | mins[g] << 4);
}

static inline void unpack_q2_k_scales(const uint8_t packed[16], uint8_t scales[16],
                                      uint8_t mins[16]) {
  for (int g = 0; g < 16; ++g) {
    scales[g] = packed[g] & 15;
    mins[g] = packed[g] >> 4;
  }
}

void quantize_row_Q2_K(const float* x, void* blocks, int64_t n);
void quantize_weighted_Q2_K(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_Q2_K(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q2_K(const void* blocks, int64_t n);

}  // namespace nibble
