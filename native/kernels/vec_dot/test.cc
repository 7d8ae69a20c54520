// Every kernel of the family against the product in double precision.
#include <cmath>
#include <cstdio>
#include <limits>

#include "kernels/vec_dot/vec_dot.h"
#include "testing/products.h"

namespace nibble {
namespace {

// Two rounds of four rows, and one row more.
constexpr int kRows = 9;

using testing::ActivationRows;
using testing::Random;
using testing::Sample;
using testing::WeightRows;

void test_product(const Format& format, Isa isa, const WeightRows& weights,
                  const ActivationRows& x) {
  Isa used;
  const VecDot kernel = find_vec_dot(format, isa, &used);
  CHECK(kernel != nullptr && (used == isa || is_partial(isa)), format.name,
        static_cast<int64_t>(isa));
  for (int64_t at = 0; at < x.rows; ++at) {
    float out[kRows + 1] = {};
    out[kRows] = 42.0f;
    kernel(weights.blocks.data(), weights.row_bytes, weights.rows, x.view(), at, out);
    for (int64_t r = 0; r < weights.rows; ++r)
      CHECK(is_product(weights, r, x, at, out[r]), format.name, weights.n);
    CHECK(out[kRows] == 42.0f, format.name, weights.n);
  }
}

// Weights are quantized once for all activations and instruction sets: that takes longest.
void test_products(const Format& format) {
  Random random(format.id + 3);
  const bool quantized = takes_codes(format);
  for (const Sample sample : testing::kProductSamples) {
    // Eleven: those that come in eights have eight, and three more.
    for (const int64_t blocks : {1, 2, 11}) {
      const int64_t n = quantized ? blocks * format.values_per_block : blocks * 37;
      const WeightRows weights(format, sample, random, kRows, n);
      for (const Sample act : testing::kProductSamples) {
        const ActivationRows x(act, random, 3, n, quantized);
        for (const Isa isa : kRuntimeIsas) {
          if (isa_supported(isa)) test_product(format, isa, weights, x);
        }
      }
    }
  }
}

// A value that is not finite makes the product NaN or infinite: it never gets lost.
void test_not_finite(const Format& format, Isa isa) {
  Random random(1);
  const int64_t n = 512;
  const WeightRows weights(format, Sample::kPositive, random, 1, n);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    ActivationRows x(Sample::kUniform, random, 1, n, false);
    x.f32[77] = bad;
    if (takes_codes(format)) {
      x.codes.resize(n);
      x.scale.resize(n / kActBlock);
      x.code_sum.resize(n / kActGroup);
      x.sum.resize(n / kActGroup);
      find_row_math(isa).quantize_act(x.f32.data(), n, x.codes.data(), x.scale.data(),
                                      x.code_sum.data(), x.sum.data());
    }
    float out = 0;
    find_vec_dot(format, isa)(weights.blocks.data(), weights.row_bytes, 1, x.view(), 0, &out);
    CHECK(!std::isfinite(out), format.name, static_cast<int64_t>(isa));
  }
}

void run() {
  size_t count;
  const Format* rows = formats(&count);
  for (const Isa isa : kRuntimeIsas) {
    if (!isa_supported(isa)) std::printf("skipped %s: not on this machine\n", isa_name(isa));
  }
  for (size_t i = 0; i < count; ++i) {
    if (!rows[i].has_codec()) continue;
    test_products(rows[i]);
    for (const Isa isa : kRuntimeIsas) {
      if (isa_supported(isa)) test_not_finite(rows[i], isa);
    }
  }
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
