#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "formats/q6_k.h"
#include "kernels/quantize_row/symmetric_lanes.h"

// Q6_K: what formats/q6_k.cc does, around the search of many groups.
namespace nibble {
namespace {

constexpr int kQ6Group = 16;
constexpr int kQ6Groups = kSuperBlock / kQ6Group;
constexpr int kQ6Half = 32;

// `scales` and `chosen`: the search's.
template <typename V>
void finish_q6_k(const float* x, const float* scales, const float* chosen, BlockQ6_K* block) {
  float largest = 0.0f;
  for (int g = 0; g < kQ6Groups; ++g) {
    if (std::fabs(scales[g]) > std::fabs(largest)) largest = scales[g];
  }
  if (std::fabs(largest) < kGroupEpsilon) {
    std::memset(block, 0, sizeof(*block));
    return;
  }
  uint8_t codes[kSuperBlock];
  const float iscale = -128.0f / largest;
  block->d = f32_to_f16(1.0f / iscale);
  const float stored_d = f16_to_f32(block->d);
  for (int g = 0; g < kQ6Groups; ++g) {
    const int scale = nearest_int(iscale * scales[g]);
    block->scales[g] = static_cast<int8_t>(scale < 127 ? scale : 127);
    const float d = stored_d * static_cast<float>(block->scales[g]);
    const bool stored = d != 0.0f;
    round_symmetric<V, kQ6Group>(x + kQ6Group * g, stored ? d : chosen[g], stored, kQ6Half,
                                 codes + kQ6Group * g);
  }
  pack_q6_k(codes, block);
}

// Without importance a value's weight is its square.
template <bool kImportant, typename V>
void quantize_q6_k_sets(const float* x, const float* importance, void* row, int64_t n) {
  constexpr int kCount = kGroupsInSet<V, kQ6Group>;
  auto* block = static_cast<BlockQ6_K*>(row);
  const auto quantize_set = [&](const float* from, const float* weigher, int count) {
    float scales[kCount];
    float chosen[kCount];
    for (int g = 0; g < kCount; g += V::kWidth) {
      SymmetricLanes<V, kQ6Group> lanes;
      load_lanes<V, kQ6Group>(from + kQ6Group * g, lanes.x);
      if constexpr (kImportant) {
        load_lanes<V, kQ6Group>(weigher + kQ6Group * g, lanes.w);
      } else {
        square_lanes<V, kQ6Group>(lanes.x, lanes.w);
      }
      search_symmetric_lanes<V, kQ6Group>(kQ6Half, &lanes, scales + g, chosen + g);
    }
    for (int b = 0; b < count; ++b, ++block) {
      finish_q6_k<V>(from + kSuperBlock * b, scales + kQ6Groups * b, chosen + kQ6Groups * b, block);
    }
  };
  for_block_sets<V, kQ6Group>(x, importance, n, quantize_set);
}

template <typename V>
void quantize_q6_k(const float* x, void* blocks, int64_t n) {
  quantize_q6_k_sets<false, V>(x, nullptr, blocks, n);
}

}  // namespace
}  // namespace nibble
