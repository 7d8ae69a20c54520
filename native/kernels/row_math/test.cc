// Functions over rows against double precision, on every instruction set.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/row_math/functions.h"
#include "testing/expected.h"
#include "testing/products.h"

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

void test_exact_exp() {
  double worst = 0;
  for (double x = -700.0; x <= 700.0; x += 0.0073) {
    const double right = std::exp(x);
    worst = std::max(worst, std::fabs(exact_exp_of(x) - right) / right);
  }
  CHECK(worst <= 1e-11, "exact_exp_of, error in 1e-14", static_cast<int64_t>(worst * 1e14));
  CHECK(exact_exp_of(0.0) == 1.0 && exact_exp_of(-1e300) == exact_exp_of(-700.0), "ends", 0);
  CHECK(std::isnan(exact_exp_of(std::numeric_limits<double>::quiet_NaN())), "NaN", 0);
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

constexpr int64_t kLengths[] = {1, 2, 7, 8, 9, 31, 32, 33, 65, 1000};

// Widens a row by a value that no function may touch.
std::vector<float> guarded(std::vector<float> row) {
  row.push_back(42.0f);
  return row;
}

// The row that a function leaves, without its guard.
std::vector<float> unguarded(std::vector<float> row, const char* what) {
  CHECK(row.back() == 42.0f, what, static_cast<int64_t>(row.size()));
  row.pop_back();
  return row;
}

void test_softmax(const RowMath& math) {
  Random random(8);
  for (const int64_t n : kLengths) {
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
      std::vector<float> out = guarded(row);
      math.softmax(out.data(), n);
      CHECK(expected.holds(unguarded(out, "softmax")), "softmax", n);
      const double log_sum = largest + std::log(total);
      CHECK(std::fabs(math.log_sum_exp(row.data(), n) - log_sum) <= 1e-10, "log_sum_exp", n);
    }
  }
}

void test_norms(const RowMath& math) {
  Random random(9);
  for (const int64_t n : kLengths) {
    const std::vector<float> x = sample_row(Sample::kUniform, random, n);
    const std::vector<float> weight = sample_row(Sample::kUniform, random, n);
    const std::vector<float> bias = sample_row(Sample::kUniform, random, n);
    constexpr float kEps = 1e-5f;
    double mean = 0;
    for (const float value : x) mean += value / static_cast<double>(n);
    for (const bool centered : {false, true}) {
      for (const float* added : {static_cast<const float*>(nullptr), bias.data()}) {
        if (!centered && added != nullptr) continue;
        const double from = centered ? mean : 0;
        double squares = kEps;
        for (const float value : x) squares += (value - from) * (value - from) / n;
        Expected expected;
        for (size_t i = 0; i < x.size(); ++i) {
          const double scaled = (x[i] - from) / std::sqrt(squares) * weight[i];
          const double plus = added == nullptr ? 0 : added[i];
          // The mean's own rounding, in units of what is divided by.
          const double lost = 1e-6 * std::fabs(weight[i]) / std::sqrt(squares);
          expected.push(scaled + plus, 2e-6 * (std::fabs(scaled) + std::fabs(plus)) + lost + 1e-37);
        }
        std::vector<float> out = guarded(x);
        if (centered) {
          math.layer_norm(out.data(), weight.data(), added, n, kEps, out.data());
        } else {
          math.rms_norm(out.data(), weight.data(), n, kEps, out.data());
        }
        CHECK(expected.holds(unguarded(out, "norm")), centered ? "layer_norm" : "rms_norm", n);
      }
    }
  }
}

// Functions of one value: equal to those of functions.h on every instruction set, bit for bit.
void test_values(const RowMath& math) {
  Random random(10);
  for (const int64_t n : kLengths) {
    for (const Sample sample : testing::kAllSamples) {
      const std::vector<float> x = sample_row(sample, random, n);
      const std::vector<float> up = sample_row(Sample::kUniform, random, n);
      const auto same = [&](const char* name, const auto& run, const auto& value) {
        std::vector<float> out = guarded(x);
        run(out.data());
        out = unguarded(out, name);
        for (size_t i = 0; i < x.size(); ++i) {
          const float right = value(x[i], up[i]);
          CHECK(std::memcmp(&out[i], &right, sizeof(right)) == 0 ||
                    (std::isnan(out[i]) && std::isnan(right)),
                name, n);
        }
      };
      same(
          "silu", [&](float* y) { math.silu(y, nullptr, n); },
          [](float a, float) { return silu_of(a); });
      same(
          "gated silu", [&](float* y) { math.silu(y, up.data(), n); },
          [](float a, float b) { return silu_of(a) * b; });
      same(
          "gelu", [&](float* y) { math.gelu(y, nullptr, n); },
          [](float a, float) { return gelu_of(a); });
      same(
          "gated gelu", [&](float* y) { math.gelu(y, up.data(), n); },
          [](float a, float b) { return gelu_of(a) * b; });
      same(
          "soft_cap", [&](float* y) { math.soft_cap(y, 30.0f, n); },
          [](float a, float) { return 30.0f * tanh_of(a / 30.0f); });
      same(
          "add", [&](float* y) { math.add(y, up.data(), 0.3f, n); },
          [](float a, float b) { return a + 0.3f * b; });
      same(
          "scale", [&](float* y) { math.scale(y, 0.3f, n); },
          [](float a, float) { return a * 0.3f; });
    }
  }
}

// Pairs side by side and halves apart, as the two kinds of rope have them.
void test_rotate(const RowMath& math) {
  Random random(11);
  for (const int64_t pairs : {1, 3, 16, 31, 64}) {
    const std::vector<float> x = sample_row(Sample::kUniform, random, 2 * pairs);
    const std::vector<float> table = sample_row(Sample::kUniform, random, 2 * pairs);
    for (const int64_t step : {1, 2}) {
      const int64_t other = step == 1 ? pairs : 1;
      std::vector<float> out = guarded(x);
      math.rotate(out.data(), out.data() + other, step, table.data(), pairs);
      out = unguarded(out, "rotate");
      for (int64_t i = 0; i < pairs; ++i) {
        const auto a = static_cast<size_t>(i * step);
        const auto b = static_cast<size_t>(i * step + other);
        const float cosine = table[static_cast<size_t>(2 * i)];
        const float sine = table[static_cast<size_t>(2 * i + 1)];
        CHECK(out[a] == x[a] * cosine - x[b] * sine, "rotate", pairs);
        CHECK(out[b] == x[b] * cosine + x[a] * sine, "rotate", pairs);
      }
    }
  }
}

// Half a step, the sums are those of the codes, and all is equal on every instruction set.
void test_quantize_act(const RowMath& math) {
  Random random(9);
  for (const Sample sample : testing::kAllSamples) {
    const int64_t n = 4 * kActBlock;
    const testing::ActivationRows x(sample, random, 40, n, true);
    testing::ActivationRows y = x;
    math.quantize_act(x.f32.data(), x.rows * n, y.codes.data(), y.scale.data(), y.code_sum.data(),
                      y.sum.data());
    const auto bytes = [](const std::vector<float>& v) { return v.size() * sizeof(float); };
    CHECK(y.codes == x.codes && y.code_sum == x.code_sum, "quantize_act", 0);
    CHECK(std::memcmp(y.scale.data(), x.scale.data(), bytes(x.scale)) == 0, "scale", 0);
    CHECK(std::memcmp(y.sum.data(), x.sum.data(), bytes(x.sum)) == 0, "sum", 0);
    if (sample == Sample::kAnyFinite || sample == Sample::kHuge) continue;
    for (int64_t i = 0; i < x.rows * n; ++i) {
      const auto at = static_cast<size_t>(i);
      const double error = std::fabs(x.f32[at] - x.value(0, i));
      CHECK(error <= 0.5001 * x.scale[at / kActBlock] + 1e-35, "quantize_act", i);
    }
    for (size_t g = 0; g < x.sum.size(); ++g) {
      int total = 0;
      for (size_t j = 0; j < kActGroup; ++j) total += x.codes[g * kActGroup + j];
      CHECK(x.code_sum[g] == total, "code_sum", static_cast<int64_t>(g));
      CHECK(x.sum[g] == x.scale[g / 2] * static_cast<float>(total), "sum", static_cast<int64_t>(g));
    }
  }
}

void run() {
  test_exp();
  test_exact_exp();
  test_tanh();
  for (const Isa isa : kAllIsas) {
    const RowMath& math = find_row_math(isa);
    if (math.isa != isa) continue;
    test_softmax(math);
    test_norms(math);
    test_values(math);
    test_rotate(math);
    test_quantize_act(math);
  }
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
