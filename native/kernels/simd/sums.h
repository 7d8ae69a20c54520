#pragma once

// Anonymous: every file of an instruction set compiles its own copy.
namespace nibble {
namespace {

// What panels need of an instruction set that adds four products of bytes to a sum of 32 bits at
// once: nothing overflows, so nothing is widened later (DotAvx2 is the one that does).
struct SumsOf32Bits {
  static constexpr int fours_at_once(int) { return 8; }
  template <typename Int>
  static Int begin(Int acc) {
    return acc;
  }
  template <typename Int>
  static Int finish(Int, Int part) {
    return part;
  }
  static constexpr bool multiplies_words(int) { return false; }
  static constexpr bool kMultipliesPairs = false;
  static constexpr bool kAddsTwo = false;
};

}  // namespace
}  // namespace nibble
