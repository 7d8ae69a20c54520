#include "formats/q2_k.h"

#include <cmath>

#include "formats/affine_groups.h"
#include "formats/block32.h"
#include "formats/k_packing.h"

namespace nibble {
namespace {

constexpr int kGroups = kGroupCount<16>;

// Packs the codes of scales and mins, then rounds the values to them.
void finish_block(const float* x, float d, float dmin, const uint8_t* scales, const uint8_t* mins,
                  uint8_t* codes, BlockQ2_K* block) {
  block->d = f32_to_f16(d);
  block->dmin = f32_to_f16(dmin);
  pack_q2_k_scales(scales, mins, block->scales);
  uint8_t stored_scales[kGroups];
  uint8_t stored_mins[kGroups];
  unpack_q2_k_scales(block->scales, stored_scales, stored_mins);
  round_to_stored<16>(x, block->d, block->dmin, stored_scales, stored_mins, kMostQ2_K, codes);
  pack_pairs_of_bits(codes, block->qs);
}

// A value's weight is its magnitude.
void quantize_block(const float* x, BlockQ2_K* block) {
  AffineGroups<16> groups;
  const auto weigh = [x](int at, float* weights) {
    for (int i = 0; i < 16; ++i) weights[i] = std::fabs(x[at + i]);
  };
  search_affine_groups(x, kMostQ2_K, kTrialsQ2_K, weigh, &groups);
  uint8_t scales[kGroups];
  uint8_t mins[kGroups];
  const float d = codes_of_scales<kGroups>(groups.scales, kMostScaleQ2_K, scales);
  const float dmin = codes_of_scales<kGroups>(groups.mins, kMostScaleQ2_K, mins);
  finish_block(x, d, dmin, scales, mins, groups.codes, block);
}

void quantize_important_block(const float* x, const float* importance, BlockQ2_K* block) {
  AffineGroups<16> groups;
  search_important_groups(x, importance, kImportantShareQ2_K, kMostQ2_K, &groups);
  uint8_t scales[kGroups];
  uint8_t mins[kGroups];
  const float d = search_positive<kGroups>(groups.scales, groups.weights, kMostScaleQ2_K, scales);
  const float dmin = search_positive<kGroups>(groups.mins, groups.weights, kMostScaleQ2_K, mins);
  finish_block(x, d, dmin, scales, mins, groups.codes, block);
}

}  // namespace

void quantize_row_Q2_K(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ2_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) quantize_block(x + i, block);
}

void quantize_weighted_Q2_K(const float* x, const float* importance, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ2_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block)
    quantize_important_block(x + i, importance + i, block);
}

void dequantize_row_Q2_K(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ2_K*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    uint8_t scales[kGroups];
    uint8_t mins[kGroups];
    unpack_pairs_of_bits(block->qs, codes);
    unpack_q2_k_scales(block->scales, scales, mins);
    dequantize_groups<16>(block->d, block->dmin, scales, mins, codes, x + i);
  }
}

int64_t count_invalid_Q2_K(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ2_K*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block)
    count += invalid_f16(block->d) || invalid_f16(block->dmin);
  return count;
}

}  // namespace nibble
