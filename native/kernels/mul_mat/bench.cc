// 10^9 operations (a product and a sum are two) per second for every format and instruction set:
// the best of several runs of 512 activation rows. An argument is the only format.
#include "base/aligned_buffer.h"
#include "kernels/mul_mat/mul_mat.h"
#include "testing/bench_table.h"
#include "testing/products.h"

namespace nibble {
namespace {

constexpr int64_t kRows = 256;
constexpr int64_t kLength = 2048;
constexpr int64_t kActs = 510;

double gigaoperations_per_second(const Format& format, Isa isa) {
  testing::Random random(1);
  const testing::WeightRows weights(format, testing::Sample::kNormal, random, kRows, kLength);
  const testing::ActivationRows x(testing::Sample::kNormal, random, kActs, kLength,
                                  takes_codes(format));
  const MulMat kernel = find_mul_mat(format, isa);
  std::vector<float> out(kRows * kActs);
  AlignedBuffer memory;
  void* panel = memory.reserve<uint8_t>(panel_bytes(kLength));
  return testing::best_rate(2e-9 * kRows * kLength * kActs, isa == Isa::kGeneric ? 1 : 8, [&] {
    kernel(weights.blocks.data(), weights.row_bytes, kRows, x.view(), out.data(), kRows, panel);
  });
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) {
  nibble::testing::print_table(count, args, [](const nibble::Format& format) {
    nibble::testing::print_rates(format, "", nibble::kRuntimeIsas,
                                 nibble::gigaoperations_per_second);
  });
}
