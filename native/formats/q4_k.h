#pragma once

#include <cstdint>

#include "formats/formats.h"
#include "formats/k_packing.h"
#include "formats/scale_search.h"

namespace nibble {

// 256 values in 8 groups of 32: d scale q - dmin min, q of 4 bits. Packing: k_packing.h.
struct BlockQ4_K {
  AffineScales head;
  uint8_t qs[kSuperBlock / 2];
};
static_assert(sizeof(BlockQ4_K) == 144, "as in files");

constexpr int kMostQ4_K = 15;
constexpr AffineTrials kTrialsQ4_K = {-1.0f, 0.1f, 20, false};
constexpr bool kCapsQ4_K = false;  // see store_important_32

void quantize_row_Q4_K(const float* x, void* blocks, int64_t n);
void quantize_weighted_Q4_K(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_Q4_K(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q4_K(const void* blocks, int64_t n);

}  // namespace nibble
