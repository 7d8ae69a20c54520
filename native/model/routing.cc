#include "model/routing.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nibble {
namespace {

// No weight of several experts is divided by less, so that none becomes infinite.
constexpr float kLeastSum = 6.103515625e-5f;

void softmax(float* x, int64_t n) {
  const float largest = *std::max_element(x, x + n);
  float sum = 0.0f;
  for (int64_t i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - largest);
  for (int64_t i = 0; i < n; ++i) x[i] /= sum;
}

// The expert of the highest score of those that are not taken; with NaN among the scores still one
// of them.
size_t best_expert(const float* scores, const std::vector<bool>& taken) {
  size_t best = taken.size();
  for (size_t e = 0; e < taken.size(); ++e) {
    if (!taken[e] && (best == taken.size() || scores[e] > scores[best])) best = e;
  }
  return best;
}

}  // namespace

Routing route(const ExpertsConfig& config, float* scores, int64_t rows) {
  const auto used = static_cast<size_t>(config.used);
  const size_t all = static_cast<size_t>(rows) * used;
  Routing routing;
  routing.weights.resize(all);
  routing.begins.assign(static_cast<size_t>(config.count) + 1, 0);
  std::vector<size_t> chosen(all);
  std::vector<bool> taken;
  for (size_t i = 0; i < all; i += used) {
    float* token = scores + static_cast<int64_t>(i / used) * config.count;
    softmax(token, config.count);
    float sum = 0.0f;
    taken.assign(static_cast<size_t>(config.count), false);
    for (size_t j = i; j < i + used; ++j) {
      const size_t expert = chosen[j] = best_expert(token, taken);
      taken[expert] = true;
      sum += routing.weights[j] = token[expert];
      ++routing.begins[expert + 1];
    }
    if (!config.sum_to_one) continue;
    for (size_t j = i; j < i + used; ++j) routing.weights[j] /= std::max(sum, kLeastSum);
  }
  std::partial_sum(routing.begins.begin(), routing.begins.end(), routing.begins.begin());
  std::vector<int64_t> next = routing.begins;
  routing.tokens.resize(all);
  routing.places.resize(all);
  for (size_t i = 0; i < all; ++i) {
    const int64_t row = next[chosen[i]]++;
    routing.places[i] = static_cast<int32_t>(row);
    routing.tokens[static_cast<size_t>(row)] = static_cast<int32_t>(i / used);
  }
  return routing;
}

}  // namespace nibble
