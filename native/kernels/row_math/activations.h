#pragma once

#include <cstdint>

// What products multiply weights with: f32 rows, and the same as int8, 32 values at a time.
namespace nibble {

// The values of an activation row are rounded in blocks of this many.
constexpr int64_t kActBlock = 32;
// Sums are kept for groups of this many: the smallest group that shares a scale in any type.
constexpr int64_t kActGroup = 16;

// Rows of activations (f32, and as int8 where the weights are in blocks). Row r begins at
// f32 + r * n, codes + r * n, scale + r * n / 32, sum and code_sum + r * n / 16.
struct Activations {
  int64_t rows;
  int64_t n;
  const float* f32;
  const int8_t* codes;      // -127 .. 127
  const float* scale;       // value = scale * code
  const int32_t* code_sum;  // of 16 codes
  const float* sum;         // scale * code_sum
};

}  // namespace nibble
