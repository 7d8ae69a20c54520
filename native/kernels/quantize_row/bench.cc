// GB/s of f32 for every format and instruction set, without and with importance: the best of
// several runs over data that fits the second-level cache. An argument is the only format.
#include <functional>
#include <vector>

#include "kernels/quantize_row/quantize_row.h"
#include "testing/bench_table.h"
#include "testing/samples.h"

namespace nibble {
namespace {

constexpr int64_t kValues = 1 << 16;
constexpr int kRuns = 40;

double rate(const std::function<void()>& quantize) {
  return testing::best_rate(static_cast<double>(kValues) * 4e-9, kRuns, quantize);
}

double plain_speed(const Format& format, Isa isa) {
  testing::Random random(1);
  const std::vector<float> x = testing::sample_row(testing::Sample::kNormal, random, kValues);
  std::vector<uint8_t> blocks(static_cast<size_t>(format.bytes(kValues)));
  const QuantizeRow kernel = find_quantize_row(format, isa);
  return rate([&] { kernel(x.data(), blocks.data(), kValues); });
}

double weighted_speed(const Format& format, Isa isa) {
  testing::Random random(1);
  const std::vector<float> x = testing::sample_row(testing::Sample::kNormal, random, kValues);
  const std::vector<float> importance(x.size(), 1.0f);
  std::vector<uint8_t> blocks(static_cast<size_t>(format.bytes(kValues)));
  const QuantizeWeighted kernel = find_quantize_weighted(format, isa);
  // Rows as long as models have them: the variance is a row's.
  constexpr int64_t kRow = 4096;
  return rate([&] {
    for (int64_t i = 0; i < kValues; i += kRow)
      kernel(x.data() + i, importance.data() + i, blocks.data() + format.bytes(i), kRow);
  });
}

void print_row(const Format& format) {
  if (format.quantize_row != nullptr)
    testing::print_rates(format, "          ", kFileIsas, plain_speed);
  if (format.quantize_weighted != nullptr)
    testing::print_rates(format, "weighted  ", kFileIsas, weighted_speed);
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) { nibble::testing::print_table(count, args, nibble::print_row); }
