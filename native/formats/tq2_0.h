#pragma once

#include <cstdint>

#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values: code q of 0 .. 2 stands for (q - 1) d.
struct BlockTQ2_0 {
  uint8_t
      qs[kSuperBlock / 4];  // byte j of 32 holds the codes j, j + 32, j + 64, j + 96 of its half
  uint16_t d;               // f16
};
static_assert(sizeof(BlockTQ2_0) == 66, "as in files");

void quantize_row_TQ2_0(const float* x, void* blocks, int64_t n);
void dequantize_row_TQ2_0(const void* blocks, float* x, int64_t n);
int64_t count_invalid_TQ2_0(const void* blocks, int64_t n);

}  // namespace nibble
