#include "formats/q3_k.h"

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "formats/block32.h"
#include "formats/k_packing.h"
#include "formats/scale_search.h"

namespace nibble {
namespace {

constexpr int kGroup = 16;
constexpr int kGroups = kSuperBlock / kGroup;
constexpr int kHalf = kHalfQ3_K;

int clamp_code(int code) { return clamp_int(code, -kHalf, kHalf - 1); }

// One scale, which maps the extreme value to -4, then codes refined under weights x^2. Codes are 0
// .. 7; those of a group of zeros 0.
float search_group(const float* x, uint8_t* codes) {
  std::memset(codes, 0, kGroup);
  const float extreme = extreme_of<kGroup>(x);
  if (std::fabs(extreme) < kGroupEpsilon) return 0.0f;
  const float iscale = static_cast<float>(-kHalf) / extreme;
  float weights[kGroup];
  square_weights(x, kGroup, weights);
  int8_t signed_codes[kGroup];
  CodeFit fit = {0.0f, 0.0f};
  for (int i = 0; i < kGroup; ++i) {
    signed_codes[i] = static_cast<int8_t>(clamp_code(nearest_int(iscale * x[i])));
    fit.add(x[i], weights[i], static_cast<float>(signed_codes[i]));
  }
  const auto nearest = [](float q) { return clamp_code(nearest_int(q)); };
  refine_codes<kGroup>(x, weights, false, nearest, signed_codes, &fit);
  for (int i = 0; i < kGroup; ++i) codes[i] = static_cast<uint8_t>(signed_codes[i] + kHalf);
  return fit.scale();
}

// Packs the scales, rounds the values to them and packs the codes.
void finish_block(const float* x, float d, const uint8_t scales[kGroups], uint8_t* codes,
                  BlockQ3_K* block) {
  block->d = f32_to_f16(d);
  pack_q3_k_scales(scales, block->scales);
  for (int g = 0; g < kGroups; ++g) {
    const float scale = q3_k_scale(block->d, scales[g]);
    if (scale == 0.0f) continue;
    for (int i = kGroup * g; i < kGroup * (g + 1); ++i)
      codes[i] = static_cast<uint8_t>(clamp_code(nearest_int(x[i] / scale)) + kHalf);
  }
  pack_pairs_of_bits(codes, block->qs);
  pack_high_bits<2>(codes, block->hmask);
}

void quantize_block(const float* x, BlockQ3_K* block) {
  uint8_t codes[kSuperBlock];
  float scales[kGroups];
  for (int g = 0; g < kGroups; ++g) scales[g] = search_group(x + kGroup * g, codes + kGroup * g);
  uint8_t scale_codes[kGroups];
  const float d = codes_of_scales_q3_k(scales, scale_codes);
  finish_block(x, d, scale_codes, codes, block);
}

void quantize_important_block(const float* x, const float* importance, BlockQ3_K* block) {
  const float variance =
      kImportantShareQ3_K * sum_of_squares(x, kSuperBlock) / static_cast<float>(kSuperBlock);
  uint8_t codes[kSuperBlock];
  float scales[kGroups];
  float group_weights[kGroups];
  for (int g = 0; g < kGroups; ++g) {
    const int at = kGroup * g;
    float weights[kGroup];
    importance_weights(x + at, importance + at, variance, kGroup, weights);
    group_weights[g] = 0.0f;
    for (const float w : weights) group_weights[g] += w;
    scales[g] = search_symmetric<kGroup>(x + at, weights, kHalf, codes + at);
  }
  uint8_t scale_codes[kGroups];
  const float d = search_symmetric<kGroups>(scales, group_weights, kHalfScaleQ3_K, scale_codes);
  finish_block(x, d, scale_codes, codes, block);
}

}  // namespace

void quantize_row_Q3_K(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ3_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) quantize_block(x + i, block);
}

void quantize_weighted_Q3_K(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ3_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block)
    quantize_important_block(x + i, importance + i, block);
}

void dequantize_row_Q3_K(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ3_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    uint8_t scales[kGroups];
    unpack_pairs_of_bits(block->qs, codes);
    add_high_bits<2>(block->hmask, codes);
    unpack_q3_k_scales(block->scales, scales);
    for (int j = 0; j < kSuperBlock; ++j)
      x[i + j] = q3_k_scale(block->d, scales[j / kGroup]) * static_cast<float>(codes[j] - kHalf);
  }
}

int64_t count_invalid_Q3_K(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ3_K*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
