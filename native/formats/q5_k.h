#pragma once

#include <cstdint>

#include "formats/formats.h"
#include "formats/k_packing.h"
#include "formats/scale_search.h"

namespace nibble {

// 256 values in 8 groups of 32: d scale q - dmin min, q of 5 bits. Packing: k_packing.h.
struct BlockQ5_K {
  AffineScales head;
  uint8_t qh[kSuperBlock / 8];  // bit 4
  uint8_t qs[kSuperBlock / 2];
};
static_assert(sizeof(BlockQ5_K) == 176, "as in files");

constexpr int kMostQ5_K = 31;
constexpr AffineTrials kTrialsQ5_K = {-0.5f, 0.1f, 15, false};
constexpr bool kCapsQ5_K = true;  // see store_important_32

void quantize_row_Q5_K(const float* x, void* blocks, int64_t n);
void quantize_weighted_Q5_K(const float* x, const float* importance, void* blocks, int64_t n);
void dequantize_row_Q5_K(const void* blocks, float* x, int64_t n);
int64_t count_invalid_Q5_K(const void* blocks, int64_t n);

}  // namespace nibble
