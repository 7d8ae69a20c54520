#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/half.h"
#include "kernels/row_math/row_math.h"
#include "kernels/vec_dot/vec_dot.h"
#include "testing/quantize_evenly.h"
#include "testing/samples.h"

// Weights, activations and their product in double precision, for the families of products.
namespace nibble::testing {

// Activation rows with all that `Activations` points to.
struct ActivationRows {
  std::vector<float> f32;
  std::vector<int8_t> codes;
  std::vector<float> scale;
  std::vector<int32_t> code_sum;
  std::vector<float> sum;
  int64_t rows;
  int64_t n;

  ActivationRows(Sample sample, Random& random, int64_t rows, int64_t n, bool quantized)
      : f32(sample_row(sample, random, rows * n)), rows(rows), n(n) {
    if (!quantized) return;
    codes.resize(f32.size());
    scale.resize(f32.size() / kActBlock);
    code_sum.resize(f32.size() / kActGroup);
    sum.resize(f32.size() / kActGroup);
    for (int64_t r = 0; r < rows; ++r) {
      find_row_math(Isa::kGeneric)
          .quantize_act(f32.data() + r * n, n, codes.data() + r * n,
                        scale.data() + r * (n / kActBlock), code_sum.data() + r * (n / kActGroup),
                        sum.data() + r * (n / kActGroup));
    }
  }
  Activations view() const {
    return {rows, n, f32.data(), codes.data(), scale.data(), code_sum.data(), sum.data()};
  }
  // The value that products see.
  double value(int64_t row, int64_t k) const {
    const auto i = static_cast<size_t>(row * n + k);
    if (codes.empty()) return f32[i];
    return static_cast<double>(scale[i / kActBlock]) * codes[i];
  }
};

// What products with BF16 weights may see (mul_mat.h): with such rows all kernels have to agree.
inline void round_to_bf16(ActivationRows* x) {
  for (float& value : x->f32) value = bf16_to_f32(f32_to_bf16(value));
}

// Quantized rows and what they mean.
struct WeightRows {
  std::vector<uint8_t> blocks;
  std::vector<float> values;
  std::vector<float> magnitudes;  // of what products add up for a value
  int64_t rows;
  int64_t n;
  int64_t row_bytes;

  WeightRows(const Format& format, Sample sample, Random& random, int64_t rows, int64_t n)
      : values(sample_row(sample, random, rows * n)), rows(rows), n(n), row_bytes(format.bytes(n)) {
    blocks.resize(static_cast<size_t>(rows * row_bytes));
    for (int64_t r = 0; r < rows; ++r) {
      uint8_t* row = blocks.data() + r * row_bytes;
      quantize_evenly(format, values.data() + r * n, row, n);
      format.dequantize_row(row, values.data() + r * n, n);
    }
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t from = by_group(format) ? i / kActBlock * kActBlock : i;
      const size_t to = by_group(format) ? from + kActBlock : i + 1;
      magnitudes.push_back(0.0f);
      for (size_t j = from; j < to; ++j)
        magnitudes[i] = std::fmax(magnitudes[i], std::fabs(values[j]));
    }
  }

  // Products take scale * code and min apart: a value near 0 is a difference of two that are as
  // large as the group's largest.
  static bool by_group(const Format& format) {
    constexpr uint32_t kWithMins[] = {kIdQ4_1, kIdQ5_1, kIdQ2_K, kIdQ4_K, kIdQ5_K};
    return contains(kWithMins, format.id);
  }
};

// Whether `actual` is row . activation, within 1e-5 of the sum of the products' magnitudes.
inline bool is_product(const WeightRows& weights, int64_t row, const ActivationRows& x, int64_t at,
                       float actual) {
  double sum = 0;
  double magnitude = 0;
  for (int64_t k = 0; k < weights.n; ++k) {
    const auto i = static_cast<size_t>(row * weights.n + k);
    const double value = x.value(at, k);
    sum += static_cast<double>(weights.values[i]) * value;
    magnitude += static_cast<double>(weights.magnitudes[i]) * std::fabs(value);
  }
  return std::fabs(actual - sum) <= 1e-5 * magnitude + 1e-37;
}

// Rows of weights that products are tried with: as models have them, and with all codes at their
// ends.
constexpr Sample kProductSamples[] = {Sample::kNormal,  Sample::kUniform,    Sample::kTies,
                                      Sample::kZeros,   Sample::kOneOutlier, Sample::kPositive,
                                      Sample::kMirrored};

}  // namespace nibble::testing
