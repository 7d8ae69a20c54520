#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Codebooks as quantizers search them: few points of a lattice, and for every other place of the
// lattice the points that are worth a look.
namespace nibble {

// Of 8 coordinates with 3 levels, or of 4 with 8. In the search level l stands for 2 l + 1.
template <int kDims>
class Codebook {
 public:
  static constexpr int kBits = kDims == 8 ? 2 : 3;
  static constexpr int kLevels = kDims == 8 ? 3 : 8;

  // A place of the lattice: itself if it is a point, else the points at its `rings` shortest
  // distances, nearest first and those of one distance by their number.
  struct Cell {
    int16_t point;   // -1 if it is none
    uint16_t word;   // of the point
    uint16_t first;  // in steps of kTogether
    uint16_t count;
  };

  // A cell's candidates begin at a multiple of this, and stand alone up to the next one, so that
  // kernels can load them together.
  static constexpr int kTogether = 16;

  // `points` as in the tables: level i in bits kBits i and up.
  Codebook(const uint16_t* points, int count, int rings) : levels_(points_of(points, count)) {
    cells_.resize(1);
    for (int i = 0; i < kDims; ++i) cells_.resize(cells_.size() * kLevels);
    for (Cell& cell : cells_) cell = {-1, 0, 0, 0};
    for (int p = 0; p < count; ++p) {
      Cell& own = cells_[place(levels(p))];
      own.point = static_cast<int16_t>(p);
      own.word = points[p];
    }
    for (size_t at = 0; at < cells_.size(); ++at) {
      if (cells_[at].point < 0) find_candidates(at, rings);
    }
    for (const uint16_t p : candidates_) words_.push_back(points[p]);
  }

  const uint8_t* levels(int point) const { return levels_.data() + kDims * point; }
  const Cell& cell(const uint8_t* levels) const { return cells_[place(levels)]; }
  const uint16_t* candidates(const Cell& cell) const {
    return candidates_.data() + kTogether * cell.first;
  }

  // For kernels: all cells, in the order of sum of level i * kLevels^i, and of every candidate its
  // word, which is the point as in the tables.
  const Cell* cells() const { return cells_.data(); }
  const uint16_t* words() const { return words_.data(); }

 private:
  static std::vector<uint8_t> points_of(const uint16_t* points, int count) {
    std::vector<uint8_t> levels;
    for (int p = 0; p < count; ++p) {
      for (int i = 0; i < kDims; ++i) {
        levels.push_back(static_cast<uint8_t>(points[p] >> kBits * i & ((1 << kBits) - 1)));
      }
    }
    return levels;
  }

  static size_t place(const uint8_t* levels) {
    size_t at = 0;
    for (int i = kDims; i-- > 0;) at = at * kLevels + levels[i];
    return at;
  }

  void find_candidates(size_t at, int rings) {
    const size_t count = levels_.size() / kDims;
    std::vector<int> distances(count);
    for (size_t p = 0; p < count; ++p) {
      size_t rest = at;
      for (int i = 0; i < kDims; ++i, rest /= kLevels) {
        const int apart = levels_[kDims * p + i] - static_cast<int>(rest % kLevels);
        distances[p] += apart * apart;
      }
    }
    Cell& cell = cells_[at];
    const size_t first = candidates_.size();
    cell.first = static_cast<uint16_t>(first / kTogether);
    for (int distance = 1, found = 0; found < rings && distance <= kFarthest; ++distance) {
      const size_t before = candidates_.size();
      for (size_t p = 0; p < count; ++p) {
        if (distances[p] == distance) candidates_.push_back(static_cast<uint16_t>(p));
      }
      found += candidates_.size() > before;
    }
    cell.count = static_cast<uint16_t>(candidates_.size() - first);
    candidates_.resize((candidates_.size() + kTogether - 1) / kTogether * kTogether);
  }

  static constexpr int kFarthest = kDims * (kLevels - 1) * (kLevels - 1);

  std::vector<uint8_t> levels_;  // of every point
  std::vector<Cell> cells_;
  std::vector<uint16_t> candidates_;
  std::vector<uint16_t> words_;  // of the candidates
};

// Built when they are first asked for.
const Codebook<8>& iq1_codebook();
const Codebook<8>& iq2_xxs_codebook();
const Codebook<8>& iq2_xs_codebook();
const Codebook<8>& iq2_s_codebook();
const Codebook<4>& iq3_xxs_codebook();
const Codebook<4>& iq3_s_codebook();

}  // namespace nibble
