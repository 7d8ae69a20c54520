#pragma once

#include <cstdint>
#include <cstring>

#include "formats/super_block.h"

// Super-blocks with a group of values in every lane: how a row comes in sets of blocks that fill
// the lanes, and values in lanes.
namespace nibble {
namespace {

// Group g of kGroup values becomes lane g.
template <typename V, int kGroup>
void load_lanes(const float* x, typename V::F32* lanes) {
  float transposed[kGroup * V::kWidth];
  for (int g = 0; g < V::kWidth; g += 4) {
    for (int i = 0; i < kGroup; i += 4)
      V::transpose4(x + g * kGroup + i, kGroup, transposed + i * V::kWidth + g, V::kWidth);
  }
  for (int i = 0; i < kGroup; ++i) lanes[i] = V::load(transposed + i * V::kWidth);
}

// Blocks of a set, at least one.
template <typename V, int kGroup>
constexpr int kBlocksInSet = V::kWidth * kGroup > kSuperBlock ? V::kWidth* kGroup / kSuperBlock : 1;

template <typename V, int kGroup>
constexpr int kGroupsInSet = kBlocksInSet<V, kGroup> * kSuperBlock / kGroup;

// Calls body(values of a set, their importances, blocks of it that are the row's); a row that ends
// within a set is filled up with zeros. Without `importance` the body's is null too.
template <typename V, int kGroup, typename Body>
void for_block_sets(const float* x, const float* importance, int64_t n, const Body& body) {
  constexpr int kValues = kBlocksInSet<V, kGroup> * kSuperBlock;
  const auto at = [importance](int64_t i) {
    return importance == nullptr ? nullptr : importance + i;
  };
  int64_t i = 0;
  for (; i + kValues <= n; i += kValues) body(x + i, at(i), kBlocksInSet<V, kGroup>);
  if (i == n) return;
  const size_t bytes = static_cast<size_t>(n - i) * sizeof(float);
  float filled[kValues] = {};
  std::memcpy(filled, x + i, bytes);
  float filled_importance[kValues] = {};
  if (importance != nullptr) std::memcpy(filled_importance, importance + i, bytes);
  body(filled, importance == nullptr ? nullptr : filled_importance,
       static_cast<int>((n - i) / kSuperBlock));
}

// The variance behind the weights of each super-block of a set, `share` times its mean square: the
// sums run in order, side by side.
template <int kBlocks>
void variances_of_blocks(const float* x, float share, float* variances) {
  float sums[kBlocks] = {};
  for (int i = 0; i < kSuperBlock; ++i) {
    for (int b = 0; b < kBlocks; ++b) sums[b] += x[b * kSuperBlock + i] * x[b * kSuperBlock + i];
  }
  for (int b = 0; b < kBlocks; ++b)
    variances[b] = share * sums[b] / static_cast<float>(kSuperBlock);
}

// importance_weights of V::kWidth groups, of which the first is number `first` of its set and has
// its importances at `importance`.
template <typename V, int kGroup>
void weigh_important_lanes(const float* importance, const float* variances, int first,
                           const typename V::F32* x, typename V::F32* w) {
  float own[V::kWidth];
  for (int g = 0; g < V::kWidth; ++g) own[g] = variances[(first + g) * kGroup / kSuperBlock];
  const typename V::F32 variance = V::load(own);
  load_lanes<V, kGroup>(importance, w);
  for (int i = 0; i < kGroup; ++i)
    w[i] = V::mul(w[i], V::sqrt(V::add(variance, V::mul(x[i], x[i]))));
}

}  // namespace
}  // namespace nibble
