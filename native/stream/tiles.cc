#include "stream/tiles.h"

#include <algorithm>

namespace nibble {

std::vector<Tile> make_tiles(const std::vector<Task>& tasks) {
  std::vector<Tile> tiles;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const int64_t n_per_row = tasks[i].n_per_row;
    const int64_t values = tasks[i].values();
    static_assert(kSearchedTileValues % kTileAlignment == 0 && kTileValues % kTileAlignment == 0,
                  "parts of rows end at block boundaries");
    const Format& to = *tasks[i].to;
    const bool is_searched = tasks[i].from != tasks[i].to &&
                             (tasks[i].is_weighted() || to.values_per_block == kTileAlignment);
    const int64_t most = is_searched ? kSearchedTileValues : kTileValues;
    const int64_t rows_step = std::max<int64_t>(1, most / n_per_row) * n_per_row;
    // What importance does to a value depends on its whole row.
    const bool is_cut = n_per_row > most && !tasks[i].is_weighted();
    const int64_t step = is_cut ? most : rows_step;
    // A row that is longer than a tile is cut; the last part ends where the row ends, so rows never
    // share a tile.
    const int64_t run = std::max(n_per_row, step);
    for (int64_t start = 0; start < values; start += run) {
      const int64_t end = std::min(values, start + run);
      for (int64_t first = start; first < end; first += step) {
        tiles.push_back({static_cast<int64_t>(i), first, std::min(step, end - first)});
      }
    }
  }
  return tiles;
}

}  // namespace nibble
