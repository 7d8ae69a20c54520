// GB/s of f32 for every format and instruction set: the best of several runs over data that fits
// the second-level cache. An argument is the only format.
#include <vector>

#include "kernels/dequantize_row/dequantize_row.h"
#include "testing/bench_table.h"
#include "testing/quantize_evenly.h"
#include "testing/samples.h"

namespace nibble {
namespace {

constexpr int64_t kValues = 1 << 16;
constexpr int kRuns = 40;

double gigabytes_per_second(const Format& format, Isa isa) {
  testing::Random random(1);
  std::vector<float> x = testing::sample_row(testing::Sample::kNormal, random, kValues);
  std::vector<uint8_t> blocks(static_cast<size_t>(format.bytes(kValues)));
  testing::quantize_evenly(format, x.data(), blocks.data(), kValues);
  const DequantizeRow kernel = find_dequantize_row(format, isa);
  return testing::best_rate(static_cast<double>(kValues) * 4e-9, kRuns,
                            [&] { kernel(blocks.data(), x.data(), kValues); });
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) {
  nibble::testing::print_table(count, args, [](const nibble::Format& format) {
    nibble::testing::print_rates(format, "", nibble::kFileIsas, nibble::gigabytes_per_second);
  });
}
