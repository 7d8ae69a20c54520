#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/half.h"

// What the types with blocks of 32 values share: how codes of 4 and 5 bits are packed, and their
// two ways of rounding.
namespace nibble {

constexpr int kBlock32 = 32;

// Eight codes as one word, code 0 in its lowest byte as on every machine that Nibble runs on:
// shifts and masks work on all of them at once.
static inline uint64_t load_codes(const uint8_t* codes) {
  uint64_t word;
  std::memcpy(&word, codes, sizeof(word));
  return word;
}

static inline void store_codes(uint64_t word, uint8_t* codes) {
  std::memcpy(codes, &word, sizeof(word));
}

// The same of four bytes.
static inline uint32_t load_word(const uint8_t* bytes) {
  return bytes[0] | static_cast<uint32_t>(bytes[1]) << 8 | static_cast<uint32_t>(bytes[2]) << 16 |
         static_cast<uint32_t>(bytes[3]) << 24;
}

static inline void store_word(uint32_t word, uint8_t* bytes) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(word >> 8 * i);
}

constexpr uint64_t kLowNibbles = 0x0f0f0f0f0f0f0f0fu;

// The halves of four bytes, low before high, one a byte.
static inline uint64_t spread_nibbles(const uint8_t bytes[4]) {
  uint64_t word = 0;
  for (int j = 0; j < 4; ++j) word |= static_cast<uint64_t>(bytes[j]) << (16 * j);
  return (word | word << 4) & kLowNibbles;
}

// The same of the eight pairs of bits of 16.
static inline uint64_t spread_pairs(uint16_t bits) {
  uint64_t word = bits;
  word = (word | word << 24) & 0x000000ff000000ffu;
  word = (word | word << 12) & 0x000f000f000f000fu;
  return (word | word << 6) & 0x0303030303030303u;
}

// Code j lies in the low half of byte j, code j + 16 in its high half.
static inline void pack_nibbles(const uint8_t codes[kBlock32], uint8_t qs[kBlock32 / 2]) {
  for (int j = 0; j < 16; j += 8) {
    const uint64_t low = load_codes(codes + j) & kLowNibbles;
    const uint64_t high = load_codes(codes + j + 16) & kLowNibbles;
    store_codes(low | high << 4, qs + j);
  }
}

static inline void unpack_nibbles(const uint8_t qs[kBlock32 / 2], uint8_t codes[kBlock32]) {
  for (int j = 0; j < 16; j += 8) {
    const uint64_t both = load_codes(qs + j);
    store_codes(both & kLowNibbles, codes + j);
    store_codes(both >> 4 & kLowNibbles, codes + j + 16);
  }
}

// Bit j is the lowest bit of code j. The product's top byte collects bit 0 of byte j as bit j: the
// factor has bits 7, 14, ... 56, so no sums carry.
static inline uint8_t lowest_bits(uint64_t eight_codes) {
  return static_cast<uint8_t>((eight_codes & 0x0101010101010101u) * 0x0102040810204080u >> 56);
}

// The fifth bit of code j is bit j of a little-endian u32.
static inline void pack_fifth_bits(const uint8_t codes[kBlock32], uint8_t qh[4]) {
  for (int b = 0; b < 4; ++b) qh[b] = lowest_bits(load_codes(codes + 8 * b) >> 4);
}

static inline void add_fifth_bits(const uint8_t qh[4], uint8_t codes[kBlock32]) {
  for (int b = 0; b < 4; ++b) {
    // Byte j of the product's mask is qh with bit j alone, which the addition turns into bit 7 of
    // the byte.
    const uint64_t spread = qh[b] * 0x0101010101010101u & 0x8040201008040201u;
    const uint64_t set = (spread + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u;
    store_codes(load_codes(codes + 8 * b) | set << 4, codes + 8 * b);
  }
}

// Truncates to an integer and keeps 0 .. most. What no int holds counts as 0, as x86 has it: under
// a d of 2^-128 its inverse is infinite, and so is x / d.
static inline uint8_t code_of(float x, int most) {
  if (!(x > 0.0f && x < 2147483648.0f)) return 0;
  return static_cast<uint8_t>(x < static_cast<float>(most) ? static_cast<int>(x) : most);
}

// d = (the value of largest magnitude, the first of them) / -half, so that it becomes code 0
// exactly; the others round to (x / d + half), at most 2 half - 1. Returns d.
static inline float symmetric_codes(const float* x, int half, uint8_t codes[kBlock32]) {
  float amax = 0.0f;
  float extreme = 0.0f;
  for (int j = 0; j < kBlock32; ++j) {
    if (std::fabs(x[j]) > amax) {
      amax = std::fabs(x[j]);
      extreme = x[j];
    }
  }
  const float d = extreme / static_cast<float>(-half);
  const float id = d != 0.0f ? 1.0f / d : 0.0f;
  for (int j = 0; j < kBlock32; ++j) {
    codes[j] = code_of(x[j] * id + (static_cast<float>(half) + 0.5f), 2 * half - 1);
  }
  return d;
}

struct Affine {
  float d;
  float m;
};

// d = (max - min) / most, m = min; values round to (x - m) / d.
static inline Affine affine_codes(const float* x, int most, uint8_t codes[kBlock32]) {
  float min = x[0];
  float max = x[0];
  for (int j = 1; j < kBlock32; ++j) {
    if (x[j] < min) min = x[j];
    if (x[j] > max) max = x[j];
  }
  const float d = (max - min) / static_cast<float>(most);
  const float id = d != 0.0f ? 1.0f / d : 0.0f;
  for (int j = 0; j < kBlock32; ++j) codes[j] = code_of((x[j] - min) * id + 0.5f, most);
  return {d, min};
}

// A scale that no quantizer writes: infinite or NaN.
static inline bool invalid_f16(uint16_t half) { return (half & 0x7c00u) == 0x7c00u; }

}  // namespace nibble
