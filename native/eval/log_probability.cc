#include "eval/log_probability.h"

#include <algorithm>

namespace nibble {
namespace {

// Rows of logits that are made at once: as many as fill the product's tiles some times.
constexpr int64_t kRows = 48;

}  // namespace

std::vector<double> log_probabilities(Context& context, int64_t first,
                                      const std::vector<int32_t>& targets, const Job& job) {
  const int64_t n = context.model().config.vocabulary;
  const auto count = static_cast<int64_t>(targets.size());
  std::vector<float> logits(static_cast<size_t>(std::min(kRows, count) * n));
  std::vector<double> log_sums(static_cast<size_t>(std::min(kRows, count)));
  std::vector<double> result(targets.size());
  for (int64_t i = 0; i < count; i += kRows) {
    job.throw_if_cancelled();
    const int64_t rows = std::min(kRows, count - i);
    context.logits(first + i, rows, logits.data());
    context.log_sum_exp(logits.data(), rows, log_sums.data());
    for (int64_t r = 0; r < rows; ++r) {
      const auto at = static_cast<size_t>(i + r);
      const auto logit = static_cast<double>(logits[static_cast<size_t>(r * n + targets[at])]);
      result[at] = logit - log_sums[static_cast<size_t>(r)];
    }
  }
  return result;
}

}  // namespace nibble
