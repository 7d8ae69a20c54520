// Functions over rows against double precision.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backends/cpu/vector_math.h"
#include "testing/expected.h"
#include "testing/samples.h"

namespace nibble {
namespace {

using testing::Expected;
using testing::Random;
using testing::Sample;
using testing::sample_row;

void test_exp() {
  double worst = 0;
  uint32_t last;
  const float high = 88.0f;
  std::memcpy(&last, &high, sizeof(last));
  for (uint32_t bits = 0; bits <= last; bits += 997) {
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    for (const float signed_x : {x, std::max(-x, -87.0f)}) {
      const double right = std::exp(static_cast<double>(signed_x));
      worst = std::max(worst, std::fabs(exp_of(signed_x) - right) / right);
    }
  }
  CHECK(worst <= 3e-7, "exp_of, error in 1e-10", static_cast<int64_t>(worst * 1e10));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float x : {88.1f, 200.0f, 3e38f, kInfinity}) CHECK(exp_of(x) == exp_of(88.0f), "x", 0);
  for (const float x : {-87.1f, -3e38f, -kInfinity}) CHECK(exp_of(x) == exp_of(-87.0f), "x", 0);
  CHECK(exp_of(0.0f) == 1.0f && exp_of(-0.0f) == 1.0f, "0", 0);
  CHECK(std::isnan(exp_of(std::numeric_limits<float>::quiet_NaN())), "NaN", 0);
}

void test_tanh() {
  double worst = 0;
  for (float x = -20.0f; x <= 20.0f; x += 0.0007f) {
    const double right = std::tanh(static_cast<double>(x));
    worst = std::max(worst, std::fabs((tanh_of(x) - right) / right));
  }
  CHECK(worst <= 5e-7, "tanh_of, error in 1e-10", static_cast<int64_t>(worst * 1e10));
  for (const float x : {0.0f, 1e-30f, 1e-10f}) CHECK(tanh_of(x) == x, "tanh of little", 0);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float x : {50.0f, 3e38f, kInfinity})
    CHECK(tanh_of(x) == 1.0f && tanh_of(-x) == -1.0f, "tanh of much", 0);
  CHECK(std::isnan(tanh_of(std::numeric_limits<float>::quiet_NaN())), "NaN", 0);
}

void test_softmax() {
  Random random(8);
  for (const int64_t n : {1, 2, 7, 8, 9, 33, 1000}) {
    const auto count = static_cast<size_t>(n);
    std::vector<std::vector<float>> rows = {
        std::vector<float>(count, 0.0f),         std::vector<float>(count, -1e30f),
        std::vector<float>(count, 3e38f),        sample_row(Sample::kTies, random, n),
        sample_row(Sample::kUniform, random, n), sample_row(Sample::kHuge, random, n)};
    rows.emplace_back(count, -1e30f);
    rows.back().back() = 5.0f;  // the one that counts
    for (const std::vector<float>& row : rows) {
      const double largest = *std::max_element(row.begin(), row.end());
      double total = 0;
      for (const float x : row) total += std::exp(x - largest);
      Expected expected;
      // The difference is rounded to a float.
      for (const float x : row) {
        const double value = std::exp(x - largest) / total;
        expected.push(value, value * (2e-6 + 1e-7 * (largest - x)) + 2e-38);
      }
      std::vector<float> out = row;
      softmax(out.data(), n);
      CHECK(expected.holds(out), "softmax", n);
    }
  }
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::test_exp();
  nibble::test_tanh();
  nibble::test_softmax();
  return nibble::testing::report();
}
