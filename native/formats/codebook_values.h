#pragma once

#include <cstdint>

#include "formats/block32.h"

// What the points of the codebooks stand for in blocks, and how signs go with them.
namespace nibble {

template <int kDims, int kCount>
struct CodebookValues {
  int8_t at[kCount][kDims];
};

extern const CodebookValues<8, 2048> kIq1Values;  // eighths: -8, 0, 8
extern const CodebookValues<8, 256> kIq2XxsValues;
extern const CodebookValues<8, 512> kIq2XsValues;
extern const CodebookValues<8, 1024> kIq2SValues;
extern const CodebookValues<4, 256> kIq3XxsValues;
extern const CodebookValues<4, 512> kIq3SValues;

// Of 8 signs 7 are stored: the number of minuses is even.
static inline uint8_t eight_signs(uint32_t seven) {
  seven &= 127;
  const uint32_t folded = seven ^ seven >> 4;
  return static_cast<uint8_t>(seven | (0x6996u >> (folded & 15) & 1) << 7);
}

// 8 codes from 8 values; bit i of `signs` is a minus.
static inline void signed_codes(const int8_t* values, uint8_t signs, int8_t* codes) {
  for (int i = 0; i < 8; ++i) {
    const int minus = -(signs >> i & 1);
    codes[i] = static_cast<int8_t>((values[i] ^ minus) - minus);
  }
}

// The same from two points of 4 values.
static inline void signed_codes(const int8_t* low, const int8_t* high, uint8_t signs,
                                int8_t* codes) {
  int8_t values[8];
  for (int i = 0; i < 4; ++i) {
    values[i] = low[i];
    values[i + 4] = high[i];
  }
  signed_codes(values, signs, codes);
}

// IQ1: 8 codes, which are eighths, from 8 values; all one less or one more.
static inline void shifted_codes(const int8_t* values, bool down, int8_t* codes) {
  for (int i = 0; i < 8; ++i) codes[i] = static_cast<int8_t>(values[i] + (down ? -1 : 1));
}

// Four times seven signs, and a scale of 4 bits above them.
static inline uint32_t signs_and_scale(const uint8_t signs[4], int scale) {
  uint32_t word = static_cast<uint32_t>(scale) << 28;
  for (int k = 0; k < 4; ++k) word |= static_cast<uint32_t>(signs[k] & 127) << 7 * k;
  return word;
}

// Four times 3 bits under bit 12, one a byte.
static inline uint64_t spread_threes(uint64_t bits) {
  bits = ((bits & 0xfff) | bits << 10) & 0x003f003f;
  return (bits | bits << 5) & 0x07070707;
}

}  // namespace nibble
