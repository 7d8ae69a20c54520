#pragma once

#include <cstdint>

#include "formats/formats.h"
#include "formats/super_block.h"

namespace nibble {

// 256 values: code q of 0 .. 2 stands for (q - 1) d. A byte holds five codes as the digits of a
// fraction to base 3, byte / 256 = 0.q0 q1 q2 q3 q4, rounded up so that multiplying by 3 brings
// them out one by one.
struct BlockTQ1_0 {
  uint8_t digits[52];
  uint16_t d;  // f16
};
static_assert(sizeof(BlockTQ1_0) == 54, "as in files");

// Digit k of byte b (of `bytes`, from `first`) is code `value` + bytes k + b.
struct TernaryPart {
  int first;
  int bytes;
  int digits;
  int value;
};
constexpr TernaryPart kTernaryParts[] = {{0, 32, 5, 0}, {32, 16, 5, 160}, {48, 4, 4, 240}};

constexpr int kDigitsTQ1_0 = 5;
constexpr int kPowerTQ1_0 = 243;  // 3^kDigitsTQ1_0

// Digits that a part does not have are zeros, at the end.
static inline void pack_tq1_0(const uint8_t codes[kSuperBlock], BlockTQ1_0* block) {
  for (const TernaryPart& part : kTernaryParts) {
    for (int b = 0; b < part.bytes; ++b) {
      int number = 0;
      for (int k = 0; k < kDigitsTQ1_0; ++k) {
        number = 3 * number + (k < part.digits ? codes[part.value + part.bytes * k + b] : 0);
      }
      block->digits[part.first + b] =
          static_cast<uint8_t>((number * 256 + kPowerTQ1_0 - 1) / kPowerTQ1_0);
    }
  }
}

static inline void unpack_tq1_0(const BlockTQ1_0& block, uint8_t codes[kSuperBlock]) {
  for (const TernaryPart& part : kTernaryParts) {
    int power = 1;
    for (int k = 0; k < part.digits; ++k, power *= 3) {
      uint8_t* out = codes + part.value + part.bytes * k;
      for (int b = 0; b < part.bytes; ++b) {
        const int rest = block.digits[part.first + b] * power & 255;
        out[b] = static_cast<uint8_t>(rest * 3 >> 8);
      }
    }
  }
}

void quantize_row_TQ1_0(const float* x, void* blocks, int64_t n);
void dequantize_row_TQ1_0(const void* blocks, float* x, int64_t n);
int64_t count_invalid_TQ1_0(const void* blocks, int64_t n);

}  // namespace nibble
