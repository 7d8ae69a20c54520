#include "eval/log_probability.h"

#include <algorithm>
#include <cmath>

namespace nibble {
namespace {

// Rows of logits that are made at once: as many as fill the product's tiles some times.
constexpr int64_t kRows = 48;

// ln p(target) = x[target] - max - ln(sum of e^(x - max)), the sum in double.
double log_probability(const float* x, int64_t n, int32_t target) {
  const float largest = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(std::exp(x[i] - largest));
  return static_cast<double>(x[target]) - largest - std::log(sum);
}

}  // namespace

std::vector<double> log_probabilities(Context& context, int64_t first,
                                      const std::vector<int32_t>& targets, const Job& job) {
  const int64_t n = context.model().config.vocabulary;
  const auto count = static_cast<int64_t>(targets.size());
  std::vector<float> logits(static_cast<size_t>(std::min(kRows, count) * n));
  std::vector<double> result(targets.size());
  for (int64_t i = 0; i < count; i += kRows) {
    job.throw_if_cancelled();
    const int64_t rows = std::min(kRows, count - i);
    context.logits(first + i, rows, logits.data());
    for (int64_t r = 0; r < rows; ++r) {
      const auto at = static_cast<size_t>(i + r);
      result[at] = log_probability(logits.data() + r * n, n, targets[at]);
    }
  }
  return result;
}

}  // namespace nibble
