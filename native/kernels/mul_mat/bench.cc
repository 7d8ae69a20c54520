// 10^9 operations (a product and a sum are two) per second for every format, shape and instruction
// set: the best of several runs. An argument is the only format.
#include "base/aligned_buffer.h"
#include "kernels/mul_mat/mul_mat.h"
#include "testing/bench_table.h"
#include "testing/products.h"

namespace nibble {
namespace {

struct Shape {
  const char* name;
  int64_t rows;  // of weights
  int64_t n;
  int64_t acts;
};

// A prompt, one whose rows are longer than the second cache has room for, and a few sequences.
constexpr Shape kShapes[] = {{"  2048 x 510", 256, 2048, 510},
                             {"  5632 x 512", 128, 5632, 512},
                             {"  2048 x 11 ", 256, 2048, 11}};

double gigaoperations_per_second(const Format& format, const Shape& shape, Isa isa) {
  testing::Random random(1);
  const testing::WeightRows weights(format, testing::Sample::kNormal, random, shape.rows, shape.n);
  const testing::ActivationRows x(testing::Sample::kNormal, random, shape.acts, shape.n,
                                  takes_codes(format));
  const MulMat kernel = find_mul_mat(format, isa);
  std::vector<float> out(static_cast<size_t>(shape.rows * shape.acts));
  AlignedBuffer memory;
  void* panel = memory.reserve<uint8_t>(panel_bytes(shape.n));
  const double operations = 2e-9 * static_cast<double>(shape.rows * shape.n * shape.acts);
  return testing::best_rate(operations, isa == Isa::kGeneric ? 1 : 8, [&] {
    kernel(weights.blocks.data(), weights.row_bytes, shape.rows, x.view(), out.data(), shape.rows,
           panel);
  });
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) {
  nibble::testing::print_table(count, args, [](const nibble::Format& format) {
    for (const nibble::Shape& shape : nibble::kShapes) {
      nibble::testing::print_rates(format, shape.name, nibble::kRuntimeIsas,
                                   [&](const nibble::Format& f, nibble::Isa isa) {
                                     return nibble::gigaoperations_per_second(f, shape, isa);
                                   });
    }
  });
}
