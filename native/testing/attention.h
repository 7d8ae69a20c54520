#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "formats/formats.h"
#include "kernels/row_math/row_math.h"
#include "testing/expected.h"

// Causal attention in double precision, over keys and values as a cache of type `format` keeps
// them.
namespace nibble::testing {

struct AttentionInput {
  const Format* format;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  float scale;
  int64_t window;  // 0: none
  float cap;       // 0: none
  int64_t tokens;
  std::vector<float> q;  // [token][head][head_dim]
  std::vector<float> k;  // [token][kv_head][head_dim]
  std::vector<float> v;
};

inline std::vector<float> as_kept(const Format& format, const std::vector<float>& x, int64_t n) {
  std::vector<float> kept(x.size());
  std::vector<uint8_t> blocks(static_cast<size_t>(format.bytes(n)));
  for (size_t i = 0; i < x.size(); i += static_cast<size_t>(n)) {
    format.quantize_row(x.data() + i, blocks.data(), n);
    format.dequantize_row(blocks.data(), kept.data() + i, n);
  }
  return kept;
}

// Queries times scale, as int8 codes where the keys are in blocks.
inline std::vector<float> as_multiplied(const AttentionInput& in) {
  std::vector<float> q = in.q;
  for (float& x : q) x *= in.scale;
  if (in.format->values_per_block == 1) return q;
  std::vector<int8_t> codes(q.size());
  std::vector<float> scale(q.size() / kActBlock);
  std::vector<int32_t> code_sum(q.size() / kActGroup);
  std::vector<float> sum(code_sum.size());
  find_row_math(Isa::kGeneric)
      .quantize_act(q.data(), static_cast<int64_t>(q.size()), codes.data(), scale.data(),
                    code_sum.data(), sum.data());
  for (size_t i = 0; i < q.size(); ++i) q[i] = scale[i / kActBlock] * codes[i];
  return q;
}

// Products are right within 1e-5 of their magnitude; an error of d in the scores is one of up to 2
// d in the weights.
inline Expected attention(const AttentionInput& in) {
  const std::vector<float> queries = as_multiplied(in);
  const std::vector<float> keys = as_kept(*in.format, in.k, in.head_dim);
  const std::vector<float> values = as_kept(*in.format, in.v, in.head_dim);
  Expected out;
  std::vector<double> weights;
  for (int64_t row = 0; row < in.tokens * in.heads; ++row) {
    const int64_t token = row / in.heads;
    const int64_t kv_head = row % in.heads / (in.heads / in.kv_heads);
    const int64_t begin = in.window > 0 ? std::max<int64_t>(0, token + 1 - in.window) : 0;
    const auto kept_row = [&](const std::vector<float>& kept, int64_t t) {
      return kept.data() + (t * in.kv_heads + kv_head) * in.head_dim;
    };
    const float* query = queries.data() + row * in.head_dim;
    weights.clear();
    double most_magnitude = 0;
    for (int64_t t = begin; t <= token; ++t) {
      double sum = 0;
      double magnitude = 0;
      for (int64_t j = 0; j < in.head_dim; ++j) {
        const double product = static_cast<double>(query[j]) * kept_row(keys, t)[j];
        sum += product;
        magnitude += std::fabs(product);
      }
      weights.push_back(in.cap > 0 ? in.cap * std::tanh(sum / in.cap) : sum);
      most_magnitude = std::max(most_magnitude, magnitude);
    }
    const double largest = *std::max_element(weights.begin(), weights.end());
    double total = 0;
    for (double& weight : weights) total += weight = std::exp(weight - largest);
    for (int64_t j = 0; j < in.head_dim; ++j) {
      double sum = 0;
      double most = 0;
      for (int64_t t = begin; t <= token; ++t) {
        const double value = kept_row(values, t)[j];
        sum += weights[static_cast<size_t>(t - begin)] / total * value;
        most = std::max(most, std::fabs(value));
      }
      out.push(sum, 1e-5 * (2 * most_magnitude + 1) * most + 1e-37);
    }
  }
  return out;
}

}  // namespace nibble::testing
