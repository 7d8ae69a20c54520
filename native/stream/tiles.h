#pragma once

#include <cstdint>
#include <vector>

#include "stream/tasks.h"

namespace nibble {

// A run of a tensor's values, at block boundaries of every type: what one thread holds in memory at
// once.
struct Tile {
  int64_t task;
  int64_t first;  // value
  int64_t count;  // values, at most kTileValues, or one row
};

// 2^18 values are 1 MiB of f32, which with its source and its blocks stays in the second-level
// cache's reach.
constexpr int64_t kTileValues = int64_t{1} << 18;
// Where scales are searched for: the slowest type takes 0.4 us for a value in scalar code, so that
// a cancelled job runs on for 15 ms at most.
constexpr int64_t kSearchedTileValues = int64_t{1} << 15;
// The block lengths of all types divide it.
constexpr int64_t kTileAlignment = 256;

// Whole rows as far as they fit, parts of rows where one alone is longer than a tile.
std::vector<Tile> make_tiles(const std::vector<Task>& tasks);

}  // namespace nibble
