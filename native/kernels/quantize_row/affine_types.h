#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/affine_32.h"
#include "formats/q2_k.h"
#include "formats/q4_k.h"
#include "formats/q5_k.h"
#include "kernels/quantize_row/affine_lanes.h"
#include "kernels/simd/pair.h"

// Q2_K, Q4_K and Q5_K: rows of blocks around the search of affine_lanes.h, and what differs from
// type to type.
namespace nibble {
namespace {

// As they are in a block.
template <int kGroups>
struct StoredScales {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[kGroups];
  uint8_t mins[kGroups];
};

// What Q4_K and Q5_K share: a value's weight is its magnitude plus the root mean square of its
// group.
struct Affine32Lanes {
  static constexpr int kGroup = 32;
  template <typename V>
  static void weigh(WeightedLanes<V, 32>* lanes) {
    typename V::F32 sum = V::set1(0.0f);
    for (int i = 0; i < 32; ++i) sum = V::add(sum, V::mul(lanes->x[i], lanes->x[i]));
    const typename V::F32 rms = V::sqrt(V::div(sum, V::set1(32.0f)));
    for (int i = 0; i < 32; ++i) lanes->w[i] = V::add(rms, V::abs(lanes->x[i]));
  }
  static constexpr float kImportantShare = kImportantShare32;
  static StoredScales<8> stored_of(const AffineScales& head) {
    StoredScales<8> stored = {head.d, head.dmin, {}, {}};
    unpack_affine_scales(head.packed, stored.scales, stored.mins);
    return stored;
  }
  template <typename Block>
  static StoredScales<8> store_scales(const float* scales, const float* mins, Block* block) {
    store_affine_32(scales, mins, &block->head);
    return stored_of(block->head);
  }
};

struct Q4KLanes : Affine32Lanes {
  using Block = BlockQ4_K;
  static constexpr int kMost = kMostQ4_K;
  static constexpr AffineTrials trials() { return kTrialsQ4_K; }
  static StoredScales<8> store_important(const float* scales, const float* mins,
                                         const float* weights, Block* block) {
    store_important_32(scales, mins, weights, kCapsQ4_K, &block->head);
    return stored_of(block->head);
  }
  static void pack(const uint8_t* codes, Block* block) { pack_nibble_chunks(codes, block->qs); }
};

struct Q5KLanes : Affine32Lanes {
  using Block = BlockQ5_K;
  static constexpr int kMost = kMostQ5_K;
  static constexpr AffineTrials trials() { return kTrialsQ5_K; }
  static StoredScales<8> store_important(const float* scales, const float* mins,
                                         const float* weights, Block* block) {
    store_important_32(scales, mins, weights, kCapsQ5_K, &block->head);
    return stored_of(block->head);
  }
  static void pack(const uint8_t* codes, Block* block) {
    pack_nibble_chunks(codes, block->qs);
    pack_high_bits<4>(codes, block->qh);
  }
};

// A value's weight is its magnitude.
struct Q2KLanes {
  using Block = BlockQ2_K;
  static constexpr int kGroup = 16;
  static constexpr int kMost = kMostQ2_K;
  static constexpr AffineTrials trials() { return kTrialsQ2_K; }
  template <typename V>
  static void weigh(WeightedLanes<V, 16>* lanes) {
    for (int i = 0; i < 16; ++i) lanes->w[i] = V::abs(lanes->x[i]);
  }
  static constexpr float kImportantShare = kImportantShareQ2_K;
  // Codes of scales and mins are in `stored` already.
  static void store(float d, float dmin, StoredScales<16>* stored, Block* block) {
    block->d = stored->d = f32_to_f16(d);
    block->dmin = stored->dmin = f32_to_f16(dmin);
    pack_q2_k_scales(stored->scales, stored->mins, block->scales);
    unpack_q2_k_scales(block->scales, stored->scales, stored->mins);
  }
  static StoredScales<16> store_scales(const float* scales, const float* mins, Block* block) {
    StoredScales<16> stored;
    const float d = codes_of_scales<16>(scales, kMostScaleQ2_K, stored.scales);
    const float dmin = codes_of_scales<16>(mins, kMostScaleQ2_K, stored.mins);
    store(d, dmin, &stored, block);
    return stored;
  }
  static StoredScales<16> store_important(const float* scales, const float* mins,
                                          const float* weights, Block* block) {
    StoredScales<16> stored;
    const float d = search_positive<16>(scales, weights, kMostScaleQ2_K, stored.scales);
    const float dmin = search_positive<16>(mins, weights, kMostScaleQ2_K, stored.mins);
    store(d, dmin, &stored, block);
    return stored;
  }
  static void pack(const uint8_t* codes, Block* block) { pack_pairs_of_bits(codes, block->qs); }
};

// round_to_stored for a block, and the search's codes where a scale is 0; groups from `first`.
template <typename V, typename Type, int kCount>
void round_codes(const float* x, const StoredScales<kSuperBlock / Type::kGroup>& stored,
                 const FoundGroups<kCount>& found, int first, uint8_t* codes) {
  const float d = f16_to_f32(stored.d);
  const float dmin = f16_to_f32(stored.dmin);
  for (int g = 0; g < kSuperBlock / Type::kGroup; ++g) {
    const float scale = d * static_cast<float>(stored.scales[g]);
    const float min = dmin * static_cast<float>(stored.mins[g]);
    const int at = Type::kGroup * g;
    if (scale == 0.0f) {
      round_affine<V, Type::kGroup>(x + at, found.iscales[first + g], found.starts[first + g],
                                    Type::kMost, codes + at);
      continue;
    }
    for (int i = at; i < at + Type::kGroup; i += V::kWidth) {
      const typename V::F32 q = V::div(V::add(V::load(x + i), V::set1(min)), V::set1(scale));
      V::store_codes(codes + i, V::nearest(q, 0, Type::kMost), Type::kMost);
    }
  }
}

template <bool kImportant, typename V, typename Type>
void quantize_affine_sets(const float* x, const float* importance, void* row, int64_t n) {
  using Wide = Pair<V>;
  constexpr int kGroup = Type::kGroup;
  constexpr int kGroups = kSuperBlock / kGroup;
  constexpr AffineTrials kTrials = kImportant ? kImportanceTrials : Type::trials();
  auto* block = static_cast<typename Type::Block*>(row);
  const auto quantize_set = [&](const float* from, const float* weigher, int count) {
    float variances[kBlocksInSet<Wide, kGroup>];
    if constexpr (kImportant)
      variances_of_blocks<kBlocksInSet<Wide, kGroup>>(from, Type::kImportantShare, variances);
    FoundGroups<kGroupsInSet<Wide, kGroup>> found;
    for (int g = 0; g < kGroupsInSet<Wide, kGroup>; g += Wide::kWidth) {
      WeightedLanes<Wide, kGroup> lanes;
      load_lanes<Wide, kGroup>(from + kGroup * g, lanes.x);
      if constexpr (kImportant) {
        weigh_important_lanes<Wide, kGroup>(weigher + kGroup * g, variances, g, lanes.x, lanes.w);
      } else {
        Type::weigh(&lanes);
      }
      prepare_lanes<Wide, kGroup>(&lanes);
      search_affine_lanes<kTrials.absolute, Wide, kGroup>(lanes, Type::kMost, kTrials, g, &found);
    }
    for (int b = 0; b < count; ++b, ++block) {
      const int g = kGroups * b;
      const auto stored = kImportant ? Type::store_important(found.scales + g, found.mins + g,
                                                             found.weights + g, block)
                                     : Type::store_scales(found.scales + g, found.mins + g, block);
      uint8_t codes[kSuperBlock];
      round_codes<V, Type>(from + kSuperBlock * b, stored, found, g, codes);
      Type::pack(codes, block);
    }
  };
  for_block_sets<Wide, kGroup>(x, importance, n, quantize_set);
}

template <typename V, typename Type>
void quantize_affine_k(const float* x, void* blocks, int64_t n) {
  quantize_affine_sets<false, V, Type>(x, nullptr, blocks, n);
}

template <typename V, typename Type>
void quantize_weighted_affine_k(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_affine_sets<true, V, Type>(x, importance, blocks, n);
}

}  // namespace
}  // namespace nibble
