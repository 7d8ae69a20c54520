#pragma once

#include <cstdint>
#include <cstring>

#include "formats/block32.h"
#include "formats/super_block.h"

// How the K types pack the codes and scales of a super-block.
namespace nibble {

// Byte l of chunk c holds the low 4 bits of values 64 c + l and 64 c + 32 + l.
static inline void pack_nibble_chunks(const uint8_t codes[kSuperBlock],
                                      uint8_t qs[kSuperBlock / 2]) {
  for (int chunk = 0; chunk < kSuperBlock; chunk += 64) {
    const uint8_t* q = codes + chunk;
    for (int l = 0; l < 32; ++l)
      qs[chunk / 2 + l] = static_cast<uint8_t>((q[l] & 15) | (q[l + 32] & 15) << 4);
  }
}

static inline void unpack_nibble_chunks(const uint8_t qs[kSuperBlock / 2],
                                        uint8_t codes[kSuperBlock]) {
  for (int chunk = 0; chunk < kSuperBlock; chunk += 64) {
    uint8_t* q = codes + chunk;
    for (int l = 0; l < 32; ++l) {
      q[l] = qs[chunk / 2 + l] & 15;
      q[l + 32] = qs[chunk / 2 + l] >> 4;
    }
  }
}

// Byte l of a half holds the low 2 bits of its values l, l + 32, l + 64 and l + 96.
static inline void pack_pairs_of_bits(const uint8_t codes[kSuperBlock],
                                      uint8_t qs[kSuperBlock / 4]) {
  for (int half = 0; half < 2; ++half) {
    const uint8_t* q = codes + 128 * half;
    for (int l = 0; l < 32; ++l) {
      qs[32 * half + l] = static_cast<uint8_t>((q[l] & 3) | (q[l + 32] & 3) << 2 |
                                               (q[l + 64] & 3) << 4 | (q[l + 96] & 3) << 6);
    }
  }
}

static inline void unpack_pairs_of_bits(const uint8_t qs[kSuperBlock / 4],
                                        uint8_t codes[kSuperBlock]) {
  for (int half = 0; half < 2; ++half) {
    uint8_t* q = codes + 128 * half;
    for (int part = 0; part < 4; ++part) {
      for (int l = 0; l < 32; ++l) q[32 * part + l] = qs[32 * half + l] >> 2 * part & 3;
    }
  }
}

// Bit g of byte l is bit kBit of code 32 g + l.
template <int kBit>
static inline void pack_high_bits(const uint8_t codes[kSuperBlock], uint8_t high[kSuperBlock / 8]) {
  std::memset(high, 0, kSuperBlock / 8);
  for (int g = 0; g < 8; ++g) {
    for (int l = 0; l < 32; ++l)
      high[l] = static_cast<uint8_t>(high[l] | (codes[32 * g + l] >> kBit & 1) << g);
  }
}

template <int kBit>
void add_high_bits(const uint8_t high[kSuperBlock / 8], uint8_t codes[kSuperBlock]) {
  for (int g = 0; g < 8; ++g) {
    for (int l = 0; l < 32; ++l)
      codes[32 * g + l] = static_cast<uint8_t>(codes[32 * g + l] | (high[l] >> g & 1) << kBit);
  }
}

// What Q4_K and Q5_K begin with: a group of 32 values is d * scale * code - dmin * min. Eight
// scales and eight mins of 6 bits: of groups 0 .. 3 as they are, in the low bits of bytes 0 .. 3
// and 4 .. 7; of groups 4 .. 7 the low halves in bytes 8 .. 11 and the other two bits on top of
// bytes 0 .. 7.
struct AffineScales {
  uint16_t d;     // f16
  uint16_t dmin;  // f16
  uint8_t packed[12];
};
static_assert(sizeof(AffineScales) == 16, "as in files");

static inline void pack_affine_scales(const uint8_t scales[8], const uint8_t mins[8],
                                      uint8_t packed[12]) {
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<uint8_t>(scales[j] | scales[j + 4] >> 4 << 6);
    packed[j + 4] = static_cast<uint8_t>(mins[j] | mins[j + 4] >> 4 << 6);
    packed[j + 8] = static_cast<uint8_t>((scales[j + 4] & 15) | (mins[j + 4] & 15) << 4);
  }
}

// Eight scales and eight mins, a byte each.
struct AffineWords {
  uint64_t scales;
  uint64_t mins;
};

static inline AffineWords affine_words(const uint8_t packed[12]) {
  const uint64_t first = load_codes(packed);
  const uint64_t low = load_word(packed + 8);
  const uint64_t six = first & 0x3f3f3f3f3f3f3f3fu;
  const uint64_t upper = first >> 2 & 0x3030303030303030u;
  const uint64_t last_scales = (low & 0x0f0f0f0fu) | (upper & 0xffffffffu);
  const uint64_t last_mins = (low >> 4 & 0x0f0f0f0fu) | upper >> 32;
  return {(six & 0xffffffffu) | last_scales << 32, six >> 32 | last_mins << 32};
}

static inline void unpack_affine_scales(const uint8_t packed[12], uint8_t scales[8],
                                        uint8_t mins[8]) {
  const AffineWords words = affine_words(packed);
  store_codes(words.scales, scales);
  store_codes(words.mins, mins);
}

}  // namespace nibble
