// GB/s of packed weights for every format and instruction set: the best of several runs over rows
// that fit the second-level cache. An argument is the only format.
#include "kernels/vec_dot/vec_dot.h"
#include "testing/bench_table.h"
#include "testing/products.h"

namespace nibble {
namespace {

constexpr int64_t kRows = 64;
constexpr int64_t kLength = 4096;
constexpr int kRuns = 60;

double gigabytes_per_second(const Format& format, Isa isa) {
  testing::Random random(1);
  const testing::WeightRows weights(format, testing::Sample::kNormal, random, kRows, kLength);
  const testing::ActivationRows x(testing::Sample::kNormal, random, 1, kLength,
                                  takes_codes(format));
  const VecDot kernel = find_vec_dot(format, isa);
  float out[kRows];
  return testing::best_rate(static_cast<double>(weights.blocks.size()) * 1e-9, kRuns, [&] {
    kernel(weights.blocks.data(), weights.row_bytes, kRows, x.view(), 0, out);
  });
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) {
  nibble::testing::print_table(count, args, [](const nibble::Format& format) {
    nibble::testing::print_rates(format, "", nibble::kRuntimeIsas, nibble::gigabytes_per_second);
  });
}
