#pragma once

#include <cstdint>
#include <cstring>

#include "formats/super_block.h"

// Blocks with a group of values in every lane: how a row comes in sets of blocks that fill the
// lanes, and values in lanes.
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

// The value of largest magnitude in every lane, the first of them.
template <typename V, int kGroup>
typename V::F32 extreme_lanes(const typename V::F32* x) {
  typename V::F32 magnitude = V::set1(0.0f);
  typename V::F32 extreme = magnitude;
  for (int i = 0; i < kGroup; ++i) {
    const typename V::F32 own = V::abs(x[i]);
    const typename V::Mask larger = V::gt(own, magnitude);
    magnitude = V::blend(magnitude, own, larger);
    extreme = V::blend(extreme, x[i], larger);
  }
  return extreme;
}

template <typename V, int kGroup>
void square_lanes(const typename V::F32* x, typename V::F32* w) {
  for (int i = 0; i < kGroup; ++i) w[i] = V::mul(x[i], x[i]);
}

// Blocks of a set, at least one.
template <typename V, int kGroup, int kBlock = kSuperBlock>
constexpr int kBlocksInSet = V::kWidth * kGroup > kBlock ? V::kWidth* kGroup / kBlock : 1;

template <typename V, int kGroup, int kBlock = kSuperBlock>
constexpr int kGroupsInSet = kBlocksInSet<V, kGroup, kBlock> * kBlock / kGroup;

// Calls body(values of a set, their importances, blocks of it that are the row's); a row that ends
// within a set is filled up with zeros. Without `importance` the body's is null too.
template <typename V, int kGroup, int kBlock = kSuperBlock, typename Body>
void for_block_sets(const float* x, const float* importance, int64_t n, const Body& body) {
  constexpr int kValues = kBlocksInSet<V, kGroup, kBlock> * kBlock;
  const auto at = [importance](int64_t i) {
    return importance == nullptr ? nullptr : importance + i;
  };
  int64_t i = 0;
  for (; i + kValues <= n; i += kValues) body(x + i, at(i), kBlocksInSet<V, kGroup, kBlock>);
  if (i == n) return;
  const size_t bytes = static_cast<size_t>(n - i) * sizeof(float);
  float filled[kValues] = {};
  std::memcpy(filled, x + i, bytes);
  float filled_importance[kValues] = {};
  if (importance != nullptr) std::memcpy(filled_importance, importance + i, bytes);
  body(filled, importance == nullptr ? nullptr : filled_importance,
       static_cast<int>((n - i) / kBlock));
}

// Sums of squares of the super-blocks of a set: each in order, side by side.
template <int kBlocks>
void squares_of_blocks(const float* x, float* sums) {
  float own[kBlocks] = {};
  for (int i = 0; i < kSuperBlock; ++i) {
    for (int b = 0; b < kBlocks; ++b) own[b] += x[b * kSuperBlock + i] * x[b * kSuperBlock + i];
  }
  for (int b = 0; b < kBlocks; ++b) sums[b] = own[b];
}

// The variance behind the weights of each super-block of a set: `share` times its mean square.
template <int kBlocks>
void variances_of_blocks(const float* x, float share, float* variances) {
  squares_of_blocks<kBlocks>(x, variances);
  for (int b = 0; b < kBlocks; ++b)
    variances[b] = share * variances[b] / static_cast<float>(kSuperBlock);
}

// importance_weights of values x in lanes; their importances are at `importance`.
template <typename V, int kGroup>
void weigh_lanes(const float* importance, typename V::F32 variance, const typename V::F32* x,
                 typename V::F32* w) {
  load_lanes<V, kGroup>(importance, w);
  for (int i = 0; i < kGroup; ++i)
    w[i] = V::mul(w[i], V::sqrt(V::add(variance, V::mul(x[i], x[i]))));
}

// The same for V::kWidth groups of super-blocks, of which the first is number `first` of its set;
// every super-block has its own variance.
template <typename V, int kGroup>
void weigh_important_lanes(const float* importance, const float* variances, int first,
                           const typename V::F32* x, typename V::F32* w) {
  float own[V::kWidth];
  for (int g = 0; g < V::kWidth; ++g) own[g] = variances[(first + g) * kGroup / kSuperBlock];
  weigh_lanes<V, kGroup>(importance, V::load(own), x, w);
}

// Weights of `count` values, of which the first is number `first` of its set: with importances as
// importance_weights, without them the squares plus `share` of the variance.
template <typename V>
void weigh_row(const float* x, const float* importance, const float* variances, int first,
               int count, float share, float* weights) {
  using F32 = typename V::F32;
  for (int i = 0; i < count; i += V::kWidth) {
    const F32 variance = V::set1(variances[(first + i) / kSuperBlock]);
    const F32 value = V::load(x + i);
    const F32 square = V::mul(value, value);
    F32 w = share == 0.0f ? square : V::add(V::mul(V::set1(share), variance), square);
    if (importance != nullptr)
      w = V::mul(V::load(importance + i), V::sqrt(V::add(variance, square)));
    V::store(weights + i, w);
  }
}

}  // namespace
}  // namespace nibble
