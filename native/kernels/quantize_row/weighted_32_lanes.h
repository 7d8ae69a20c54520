#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/weighted_32.h"
#include "kernels/quantize_row/affine_lanes.h"
#include "kernels/quantize_row/block32_types.h"
#include "kernels/quantize_row/symmetric_lanes.h"
#include "kernels/simd/pair.h"

// Q4_0, Q4_1, Q5_0 and Q5_1 with importance: quantize_weighted_32 (formats/weighted_32.h) with a
// block in every lane.
namespace nibble {
namespace {

template <typename V, typename Type>
void quantize_weighted_symmetric_32(const float* x, const float* importance, void* row, int64_t n) {
  const typename V::F32 variance = V::set1(row_variance(x, n));
  auto* block = static_cast<typename Type::Block*>(row);
  const auto quantize_set = [&](const float* from, const float* weigher, int count) {
    SymmetricLanes<V, kBlock32> lanes;
    load_lanes<V, kBlock32>(from, lanes.x);
    weigh_lanes<V, kBlock32>(weigher, variance, lanes.x, lanes.w);
    float scales[V::kWidth];
    float chosen[V::kWidth];
    search_symmetric_lanes<V, kBlock32>(Type::kHalf, &lanes, scales, chosen);
    for (int b = 0; b < count; ++b, ++block) {
      uint8_t codes[kBlock32];
      block->d = f32_to_f16(scales[b]);
      round_symmetric<V, kBlock32>(from + kBlock32 * b, chosen[b], false, Type::kHalf, codes);
      Type::pack(codes, block);
    }
  };
  for_block_sets<V, kBlock32, kBlock32>(x, importance, n, quantize_set);
}

template <typename V, typename Type>
void quantize_weighted_affine_32(const float* x, const float* importance, void* row, int64_t n) {
  using Wide = Pair<V>;
  const typename Wide::F32 variance = Wide::set1(row_variance(x, n));
  auto* block = static_cast<typename Type::Block*>(row);
  const auto quantize_set = [&](const float* from, const float* weigher, int count) {
    WeightedLanes<Wide, kBlock32> lanes;
    load_lanes<Wide, kBlock32>(from, lanes.x);
    weigh_lanes<Wide, kBlock32>(weigher, variance, lanes.x, lanes.w);
    prepare_lanes<Wide, kBlock32>(&lanes);
    FoundGroups<Wide::kWidth> found;
    search_affine_lanes<kImportanceTrials.absolute, Wide, kBlock32>(lanes, Type::kMost,
                                                                    kImportanceTrials, 0, &found);
    for (int b = 0; b < count; ++b, ++block) {
      uint8_t codes[kBlock32];
      block->d = f32_to_f16(found.scales[b]);
      block->m = f32_to_f16(-found.mins[b]);
      round_affine<V, kBlock32>(from + kBlock32 * b, found.iscales[b], found.starts[b], Type::kMost,
                                codes);
      Type::pack(codes, block);
    }
  };
  for_block_sets<Wide, kBlock32, kBlock32>(x, importance, n, quantize_set);
}

}  // namespace
}  // namespace nibble
