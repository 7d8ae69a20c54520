#include "eval/importance.h"

namespace nibble {

void ImportanceCollector::input(const Weight& weight, const float* x, int64_t rows) {
  if (weight.name.compare(0, 4, "blk.") != 0) return;
  ImportanceSums& sums = sums_[weight.name];
  const auto n = static_cast<size_t>(weight.n);
  const auto experts = static_cast<size_t>(weight.experts);
  const auto expert = static_cast<size_t>(weight.expert);
  sums.squares.resize(n * experts);
  sums.values.resize(n * experts);
  sums.rows.resize(experts);
  sums.rows[expert] += rows;
  double* squares = sums.squares.data() + expert * n;
  double* values = sums.values.data() + expert * n;
  for (int64_t r = 0; r < rows; ++r, x += n) {
    for (size_t j = 0; j < n; ++j) {
      const double value = x[j];
      values[j] += value;
      squares[j] += value * value;
    }
  }
}

}  // namespace nibble
