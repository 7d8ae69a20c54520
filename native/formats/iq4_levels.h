#pragma once

#include <cstdint>

#include "formats/block32.h"

// What IQ4_NL and IQ4_XS share: a code of 4 bits stands for one of 16 levels that lie closer
// together around 0, as weights do.
namespace nibble {

constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};

// Halfway between levels i and i + 1.
constexpr float iq4_middle(int i) {
  return 0.5f * static_cast<float>(kIq4Levels[i] + kIq4Levels[i + 1]);
}

static inline void unpack_iq4(const uint8_t qs[kBlock32 / 2], int8_t levels[kBlock32]) {
  for (int j = 0; j < kBlock32 / 2; ++j) {
    levels[j] = kIq4Levels[qs[j] & 15];
    levels[j + kBlock32 / 2] = kIq4Levels[qs[j] >> 4];
  }
}

}  // namespace nibble
