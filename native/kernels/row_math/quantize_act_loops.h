#pragma once

#include <cstring>
#include <limits>

#include "formats/super_block.h"
#include "kernels/row_math/row_math.h"

// quantize_act as plain loops. Anonymous: see functions.h.
namespace nibble {
namespace {

// Of 32 values the largest magnitude's bits: as integers magnitudes are ordered as they are as
// floats, and what is not finite lies above all others.
int32_t largest_bits(const float* x) {
  int32_t largest = 0;
  for (int j = 0; j < kActBlock; ++j) {
    int32_t bits;
    std::memcpy(&bits, x + j, sizeof(bits));
    bits &= 0x7fffffff;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

int32_t sum_of_codes(const int32_t* codes) {
  int32_t sum = 0;
  for (int j = 0; j < kActGroup; ++j) sum += codes[j];
  return sum;
}

// Scales of `count` blocks, and their inverses.
void scales_of(const int32_t* largest, int64_t count, float* scale, float* inverse) {
  for (int64_t i = 0; i < count; ++i) {
    float magnitude;
    std::memcpy(&magnitude, largest + i, sizeof(magnitude));
    const bool is_finite = largest[i] < 0x7f800000;
    const float d = is_finite ? magnitude / 127.0f : std::numeric_limits<float>::quiet_NaN();
    // A d whose inverse is infinite is that of values which are nothing beside any other.
    const float id = 1.0f / d;
    scale[i] = d <= 1e-37f ? 0.0f : d;
    inverse[i] = d > 1e-37f ? id : 0.0f;
  }
}

void quantize_act(const float* x, int64_t n, int8_t* codes, float* scale, int32_t* code_sum,
                  float* sum) {
  // Some blocks at a time, so that divisions do not wait for each other.
  constexpr int64_t kBlocks = 16;
  for (int64_t left = n / kActBlock; left > 0; left -= kBlocks, scale += kBlocks) {
    const int64_t count = left < kBlocks ? left : kBlocks;
    int32_t largest[kBlocks];
    float inverse[kBlocks];
    for (int64_t i = 0; i < count; ++i) largest[i] = largest_bits(x + i * kActBlock);
    scales_of(largest, count, scale, inverse);
    for (int64_t i = 0; i < count; ++i, x += kActBlock, codes += kActBlock) {
      int32_t whole[kActBlock];
      for (int j = 0; j < kActBlock; ++j) whole[j] = nearest_int(x[j] * inverse[i]);
      for (int j = 0; j < kActBlock; ++j) codes[j] = static_cast<int8_t>(whole[j]);
      for (int g = 0; g < kActBlock / kActGroup; ++g) {
        const int32_t total = sum_of_codes(whole + g * kActGroup);
        *code_sum++ = total;
        *sum++ = scale[i] * static_cast<float>(total);
      }
    }
  }
}

}  // namespace
}  // namespace nibble
