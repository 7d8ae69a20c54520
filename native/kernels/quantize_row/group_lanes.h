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

// Calls body(values of a set, blocks of it that are the row's); a row that ends within a set is
// filled up with zeros.
template <typename V, int kGroup, typename Body>
void for_block_sets(const float* x, int64_t n, const Body& body) {
  constexpr int kValues = kBlocksInSet<V, kGroup> * kSuperBlock;
  int64_t i = 0;
  for (; i + kValues <= n; i += kValues) body(x + i, kBlocksInSet<V, kGroup>);
  if (i == n) return;
  float filled[kValues] = {};
  std::memcpy(filled, x + i, static_cast<size_t>(n - i) * sizeof(float));
  body(filled, static_cast<int>((n - i) / kSuperBlock));
}

}  // namespace
}  // namespace nibble
