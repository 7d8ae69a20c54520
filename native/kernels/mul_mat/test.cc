// Every kernel of the family against the product in double precision.
#include <cstdio>

#include "base/aligned_buffer.h"
#include "kernels/mul_mat/mul_mat.h"
#include "testing/products.h"

namespace nibble {
namespace {

using testing::ActivationRows;
using testing::Random;
using testing::Sample;
using testing::WeightRows;

struct Shape {
  int64_t rows;    // of weights
  int64_t acts;    // rows of activations
  int64_t blocks;  // of 256 values (of 131 where the type has no blocks)
};

// Panels that are full, begun and exceeded by one; tiles of activations likewise.
constexpr Shape kShapes[] = {{1, 1, 1}, {31, 2, 1}, {32, 6, 2}, {33, 7, 1}, {65, 13, 1}};
// vec_dot is tried with all samples, on the same codes.
constexpr Sample kSamples[] = {Sample::kNormal, Sample::kOneOutlier, Sample::kMirrored};

void test_product(const Format& format, Isa isa, const WeightRows& weights,
                  const ActivationRows& x) {
  Isa used;
  const MulMat kernel = find_mul_mat(format, isa, &used);
  CHECK(kernel != nullptr && used == isa, format.name, static_cast<int64_t>(isa));
  const int64_t stride = weights.rows + 3;
  std::vector<float> out(static_cast<size_t>(x.rows * stride), 42.0f);
  AlignedBuffer memory;
  void* panel = memory.reserve<uint8_t>(panel_bytes(x.n));
  kernel(weights.blocks.data(), weights.row_bytes, weights.rows, x.view(), out.data(), stride,
         panel);
  for (int64_t a = 0; a < x.rows; ++a) {
    const float* row = out.data() + a * stride;
    for (int64_t r = 0; r < weights.rows; ++r)
      CHECK(is_product(weights, r, x, a, row[r]), format.name, r);
    for (int64_t r = weights.rows; r < stride; ++r) CHECK(row[r] == 42.0f, format.name, r);
  }
}

// Weights are quantized once for all instruction sets: that takes longest.
void test_products(const Format& format) {
  Random random(format.id + 5);
  const bool quantized = takes_codes(format);
  for (const Sample sample : kSamples) {
    for (const Shape& shape : kShapes) {
      const int64_t n = shape.blocks * (quantized ? 256 : 131);
      const WeightRows weights(format, sample, random, shape.rows, n);
      const ActivationRows x(Sample::kUniform, random, shape.acts, n, quantized);
      for (const Isa isa : kRuntimeIsas) {
        if (isa_supported(isa)) test_product(format, isa, weights, x);
      }
    }
  }
}

void run() {
  size_t count;
  const Format* rows = formats(&count);
  for (const Isa isa : kRuntimeIsas) {
    if (!isa_supported(isa)) std::printf("skipped %s: not on this machine\n", isa_name(isa));
  }
  for (size_t i = 0; i < count; ++i) {
    if (rows[i].has_codec()) test_products(rows[i]);
  }
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
