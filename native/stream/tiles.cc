#include "stream/tiles.h"

#include <algorithm>

namespace nibble {

namespace {

static_assert(kSearchedTileValues % kTileAlignment == 0 && kTileValues % kTileAlignment == 0,
              "parts of rows end at block boundaries");

bool is_searched(const Task& task) {
  return task.from != task.to &&
         (task.is_weighted() || task.to->values_per_block == kTileAlignment);
}

// Bytes of a row of a source that lies by columns; 0 of others.
double bytes_across(const Task& task) {
  if (task.transposed) return static_cast<double>(task.stored->bytes(task.n_per_row));
  for (const Piece& piece : task.pieces) {
    if (!piece.encoded || !piece.encoded->scaled) continue;
    const NumberGrid& codes = piece.encoded->scaled->codes;
    if (codes.by_columns)
      return static_cast<double>(codes.bytes()) / static_cast<double>(codes.rows);
  }
  return 0;
}

// Several parts of whole rows where they are read as a panel.
int64_t tile_values(const Task& task) {
  const int64_t part = values_at_once(task);
  const double across = bytes_across(task);
  if (across == 0 || part % task.n_per_row != 0) return part;
  const auto rows = static_cast<int64_t>(static_cast<double>(kPanelBytes) / across);
  return std::max(part, rows * task.n_per_row / part * part);
}

// Whole rows up to `most` values, or `most` where a row is longer and can be cut.
int64_t step_of(const Task& task, int64_t most) {
  const int64_t n = task.n_per_row;
  // What importance does to a value depends on its whole row.
  return n > most && !task.is_weighted() ? most : std::max<int64_t>(1, most / n) * n;
}

}  // namespace

int64_t values_at_once(const Task& task) {
  return step_of(task, is_searched(task) ? kSearchedTileValues : kTileValues);
}

std::vector<Tile> make_tiles(const std::vector<Task>& tasks) {
  std::vector<Tile> tiles;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const int64_t values = tasks[i].values();
    const int64_t step = tile_values(tasks[i]);
    // A row that is longer than a tile is cut; the last part ends where the row ends, so rows never
    // share a tile.
    const int64_t run = std::max(tasks[i].n_per_row, step);
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
