#include "formats/q6_k.h"

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "formats/block32.h"

namespace nibble {
namespace {

constexpr int kGroup = 16;
constexpr int kGroups = kSuperBlock / kGroup;

int clamp_code(int code) { return code < -32 ? -32 : code > 31 ? 31 : code; }

struct Fit {
  float xq;  // sum w x q
  float qq;  // sum w q q
};

// How well codes round(x * iscale) fit, with weights x^2.
Fit fit_of(const float* x, float iscale) {
  Fit fit = {0.0f, 0.0f};
  for (int i = 0; i < kGroup; ++i) {
    const float q = static_cast<float>(clamp_code(nearest_int(iscale * x[i])));
    const float w = x[i] * x[i];
    fit.xq += w * x[i] * q;
    fit.qq += w * q * q;
  }
  return fit;
}

// The scale of a group: of 19 trial scales around the one that maps the extreme value to -32, the
// one whose codes leave the smallest squared error weighted by x^2. That is the largest xq^2 / qq,
// and the best scale for codes is xq / qq.
float search_scale(const float* x, uint8_t* codes) {
  float amax = 0.0f;
  float extreme = 0.0f;
  for (int i = 0; i < kGroup; ++i) {
    if (std::fabs(x[i]) > amax) {
      amax = std::fabs(x[i]);
      extreme = x[i];
    }
  }
  std::memset(codes, 0, kGroup);
  if (amax < kGroupEpsilon) return 0.0f;
  float chosen = -32.0f / extreme;
  const Fit first = fit_of(x, chosen);
  float scale = first.qq != 0.0f ? first.xq / first.qq : 0.0f;
  float best = scale * first.xq;
  for (int trial = -9; trial <= 9; ++trial) {
    if (trial == 0) continue;
    const float iscale = -(32.0f + 0.1f * static_cast<float>(trial)) / extreme;
    const Fit fit = fit_of(x, iscale);
    if (fit.qq > 0.0f && fit.xq * fit.xq > best * fit.qq) {
      chosen = iscale;
      scale = fit.xq / fit.qq;
      best = scale * fit.xq;
    }
  }
  for (int i = 0; i < kGroup; ++i) {
    codes[i] = static_cast<uint8_t>(clamp_code(nearest_int(chosen * x[i])) + 32);
  }
  return scale;
}

void quantize_block(const float* x, BlockQ6_K* block) {
  uint8_t codes[kSuperBlock];
  float scales[kGroups];
  float largest = 0.0f;
  for (int g = 0; g < kGroups; ++g) {
    scales[g] = search_scale(x + kGroup * g, codes + kGroup * g);
    if (std::fabs(scales[g]) > std::fabs(largest)) largest = scales[g];
  }
  if (std::fabs(largest) < kGroupEpsilon) {
    std::memset(block, 0, sizeof(*block));
    return;
  }
  const float iscale = -128.0f / largest;
  block->d = f32_to_f16(1.0f / iscale);
  for (int g = 0; g < kGroups; ++g) {
    const int scale = nearest_int(iscale * scales[g]);
    block->scales[g] = static_cast<int8_t>(scale < 127 ? scale : 127);
    // The codes again, for the scale as it is stored.
    const float d = f16_to_f32(block->d) * static_cast<float>(block->scales[g]);
    if (d == 0.0f) continue;
    for (int i = kGroup * g; i < kGroup * (g + 1); ++i) {
      codes[i] = static_cast<uint8_t>(clamp_code(nearest_int(x[i] / d)) + 32);
    }
  }
  pack_q6_k(codes, block);
}

}  // namespace

void quantize_row_Q6_K(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ6_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) quantize_block(x + i, block);
}

void dequantize_row_Q6_K(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ6_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    const float d = f16_to_f32(block->d);
    uint8_t codes[kSuperBlock];
    unpack_q6_k(*block, codes);
    for (int j = 0; j < kSuperBlock; ++j) {
      x[i + j] =
          d * static_cast<float>(block->scales[j / kGroup]) * static_cast<float>(codes[j] - 32);
    }
  }
}

int64_t count_invalid_Q6_K(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ6_K*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
