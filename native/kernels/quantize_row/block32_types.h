#pragma once

#include <cstdint>

#include "formats/block32.h"
#include "formats/q4_0.h"
#include "formats/q4_1.h"
#include "formats/q5_0.h"
#include "formats/q5_1.h"

// What differs between the types with blocks of 32 values.
namespace nibble {
namespace {

// Code q stands for (q - kHalf) d.
struct Q4_0Lanes {
  using Block = BlockQ4_0;
  static constexpr int kHalf = 8;
  static void pack(const uint8_t* codes, Block* block) { pack_nibbles(codes, block->qs); }
};

struct Q5_0Lanes {
  using Block = BlockQ5_0;
  static constexpr int kHalf = 16;
  static void pack(const uint8_t* codes, Block* block) {
    pack_nibbles(codes, block->qs);
    pack_fifth_bits(codes, block->qh);
  }
};

// Code q, 0 .. kMost, stands for q d + m.
struct Q4_1Lanes {
  using Block = BlockQ4_1;
  static constexpr int kMost = 15;
  static void pack(const uint8_t* codes, Block* block) { pack_nibbles(codes, block->qs); }
};

struct Q5_1Lanes {
  using Block = BlockQ5_1;
  static constexpr int kMost = 31;
  static void pack(const uint8_t* codes, Block* block) {
    pack_nibbles(codes, block->qs);
    pack_fifth_bits(codes, block->qh);
  }
};

}  // namespace
}  // namespace nibble
