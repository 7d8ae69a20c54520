#include "formats/q6_k.h"

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "formats/block32.h"
#include "formats/scale_search.h"

namespace nibble {
namespace {

constexpr int kGroup = 16;
constexpr int kGroups = kSuperBlock / kGroup;
constexpr int kHalf = 32;

// Without importance a value's weight is its square.
void quantize_block(const float* x, const float* importance, BlockQ6_K* block) {
  uint8_t codes[kSuperBlock];
  float scales[kGroups];
  float largest = 0.0f;
  for (int g = 0; g < kGroups; ++g) {
    const int at = kGroup * g;
    float squares[kGroup];
    square_weights(x + at, kGroup, squares);
    const float* weights = importance != nullptr ? importance + at : squares;
    scales[g] = search_symmetric<kGroup>(x + at, weights, kHalf, codes + at);
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
      codes[i] = static_cast<uint8_t>(clamp_int(nearest_int(x[i] / d), -kHalf, kHalf - 1) + kHalf);
    }
  }
  pack_q6_k(codes, block);
}

}  // namespace

void quantize_row_Q6_K(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ6_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) quantize_block(x + i, nullptr, block);
}

void quantize_weighted_Q6_K(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ6_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block)
    quantize_block(x + i, importance + i, block);
}

void dequantize_row_Q6_K(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ6_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    const float d = f16_to_f32(block->d);
    uint8_t codes[kSuperBlock];
    unpack_q6_k(*block, codes);
    for (int j = 0; j < kSuperBlock; ++j) {
      x[i + j] =
          d * static_cast<float>(block->scales[j / kGroup]) * static_cast<float>(codes[j] - kHalf);
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
