#pragma once

#include <cstdint>
#include <vector>

#include "stream/tasks.h"

namespace nibble {

// A run of a tensor's values, at block boundaries of every type: what one thread does at a time.
struct Tile {
  int64_t task;
  int64_t first;  // value
  int64_t count;  // values, whole rows or a part of one
};

// 2^18 values are 1 MiB of f32, which with its source and its blocks stays in the second-level
// cache's reach.
constexpr int64_t kTileValues = int64_t{1} << 18;
// Where scales are searched for: the slowest type takes 0.4 us for a value in scalar code, so that
// a cancelled job runs on for 15 ms at most.
constexpr int64_t kSearchedTileValues = int64_t{1} << 15;
// Bytes of source that are read at once where it lies by columns, in as many short runs as a row is
// long: the more rows, the longer the runs. AWQ, the shortest, of 14336 columns: 292 rows are 14336
// runs of 146 bytes, for 16 MiB of f32.
constexpr int64_t kPanelBytes = int64_t{1} << 21;
// The block lengths of all types divide it.
constexpr int64_t kTileAlignment = 256;

// Whole rows as far as they fit, parts of rows where one alone is too long.
std::vector<Tile> make_tiles(const std::vector<Task>& tasks);

// How many values of a tile are held in memory at once: kTileValues (kSearchedTileValues), or one
// row. Where the source lies by columns a tile has several such parts, else one.
int64_t values_at_once(const Task& task);

}  // namespace nibble
