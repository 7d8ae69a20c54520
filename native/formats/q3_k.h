#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "formats/block32.h"
#include "formats/formats.h"
#include "formats/scale_search.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values in 16 groups of 16: (q - 4) (scale - 32) d, q of 3 bits. Packing: k_packing.h.
struct BlockQ3_K {
  uint8_t hmask[kSuperBlock / 8];  // bit 2
  uint8_t qs[kSuperBlock / 4];     // low 2 bits
  uint8_t scales[12];              // of 6 bits: unpack_q3_k_scales
  uint16_t d;                      // f16
};
static_assert(sizeof(BlockQ3_K) == 110, "as in files");

// The low halves of scales g and g + 8 lie in byte g, the upper two bits of scale g in byte
// 8 + g % 4 at 2 (g / 4).
static inline void pack_q3_k_scales(const uint8_t scales[16], uint8_t packed[12]) {
  for (int g = 0; g < 8; ++g)
    packed[g] = static_cast<uint8_t>((scales[g] & 15) | (scales[g + 8] & 15) << 4);
  for (int g = 0; g < 4; ++g) {
    packed[8 + g] = static_cast<uint8_t>(scales[g] >> 4 | scales[g + 4] >> 4 << 2 |
                                         scales[g + 8] >> 4 << 4 | scales[g + 12] >> 4 << 6);
  }
}

// Eight of them, from `first` (0 or 8), a byte each.
static inline uint64_t eight_q3_k_scales(const uint8_t packed[12], int first) {
  const uint64_t four = load_word(packed + 8);
  const uint64_t upper = four | four << 30;  // those of the next four lie 2 bits higher
  return (load_codes(packed) >> first / 2 & kLowNibbles) |
         (upper >> first / 2 & 0x0303030303030303u) << 4;
}

static inline void unpack_q3_k_scales(const uint8_t packed[12], uint8_t scales[16]) {
  for (int first = 0; first < 16; first += 8)
    store_codes(eight_q3_k_scales(packed, first), scales + first);
}

constexpr int kHalfQ3_K = 4;
constexpr int kHalfScaleQ3_K = 32;
constexpr float kImportantShareQ3_K = 2.0f;  // of the mean square, behind the weights

static inline float q3_k_scale(uint16_t d, uint8_t code) {
  return f16_to_f32(d) * static_cast<float>(code - kHalfScaleQ3_K);
}

// Codes of the groups' scales, the one of largest magnitude becomes -32. Returns their scale.
static inline float codes_of_scales_q3_k(const float scales[16], uint8_t codes[16]) {
  const float extreme = extreme_of<16>(scales);
  std::memset(codes, 0, 16);
  if (extreme == 0.0f) return 0.0f;
  const float iscale = static_cast<float>(-kHalfScaleQ3_K) / extreme;
  for (int g = 0; g < 16; ++g) {
    // A byte before it is clamped: what overflows under the smallest scales is upstream's.
    const auto code = static_cast<int8_t>(nearest_int(iscale * scales[g]));
    codes[g] =
        static_cast<uint8_t>(clamp_int(code, -kHalfScaleQ3_K, kHalfScaleQ3_K - 1) + kHalfScaleQ3_K);
  }
  return 1.0f / iscale;
}

void quantize_row_Q3_K(const float* x, void* blocks, int64_t n);
void quantize_weighted_Q3_K(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_Q3_K(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q3_K(const void* blocks, int64_t n);

}  // namespace nibble
