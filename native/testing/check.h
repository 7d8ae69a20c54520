#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

// A test program in a few lines: CHECK counts, report() prints the counts and gives the exit
// status.
namespace nibble::testing {

struct Counts {
  int passed = 0;
  int failed = 0;
};

inline Counts& counts() {
  static Counts instance;
  return instance;
}

inline void check(bool holds, const char* what, const char* detail, int64_t number) {
  if (holds) {
    ++counts().passed;
    return;
  }
  ++counts().failed;
  std::printf("FAILED: %s (%s, %lld)\n", what, detail, static_cast<long long>(number));
}

inline int report() {
  std::printf("%d passed, %d failed\n", counts().passed, counts().failed);
  return counts().failed == 0 && counts().passed > 0 ? 0 : 1;
}

template <typename T, size_t n>
bool contains(const T (&values)[n], T wanted) {
  for (const T& value : values) {
    if (value == wanted) return true;
  }
  return false;
}

// Seeded random numbers (xorshift64*), the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint32_t bits() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>(state_ * 0x2545f4914f6cdd1du >> 32);
  }
  // In [0, 1).
  float unit() { return static_cast<float>(bits() >> 8) * 5.9604644775390625e-8f; }

 private:
  uint64_t state_;
};

}  // namespace nibble::testing

#define CHECK(condition, detail, number) \
  nibble::testing::check((condition), #condition, (detail), (number))
