#include "eval/importance.h"

namespace nibble {

void ImportanceCollector::input(const Weight& weight, const float* x, int64_t rows) {
  if (weight.name.compare(0, 4, "blk.") != 0) return;
  ImportanceSums& sums = sums_[weight.name];
  const auto n = static_cast<size_t>(weight.n);
  sums.squares.resize(n);
  sums.values.resize(n);
  sums.rows += rows;
  for (int64_t r = 0; r < rows; ++r, x += n) {
    for (size_t j = 0; j < n; ++j) {
      const double value = x[j];
      sums.values[j] += value;
      sums.squares[j] += value * value;
    }
  }
}

}  // namespace nibble
