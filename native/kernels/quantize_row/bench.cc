// GB/s of f32 for every format and instruction set, without and with importance: the best of
// several runs over data that fits the second-level cache. An argument is the only format.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "kernels/quantize_row/quantize_row.h"
#include "testing/samples.h"

namespace nibble {
namespace {

constexpr int64_t kValues = 1 << 16;
constexpr int kRuns = 40;

template <typename Quantize>
double gigabytes_per_second(const Quantize& quantize) {
  quantize();
  double best = 0;
  double total = 0;
  for (int run = 0; run < kRuns && total < 1.0; ++run) {
    const auto began = std::chrono::steady_clock::now();
    quantize();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    total += seconds.count();
    best = std::max(best, static_cast<double>(kValues) * 4e-9 / seconds.count());
  }
  return best;
}

double plain_speed(const Format& format, Isa isa) {
  testing::Random random(1);
  const std::vector<float> x = testing::sample_row(testing::Sample::kNormal, random, kValues);
  std::vector<uint8_t> blocks(static_cast<size_t>(format.bytes(kValues)));
  const QuantizeRow kernel = find_quantize_row(format, isa);
  return gigabytes_per_second([&] { kernel(x.data(), blocks.data(), kValues); });
}

double weighted_speed(const Format& format, Isa isa) {
  testing::Random random(1);
  const std::vector<float> x = testing::sample_row(testing::Sample::kNormal, random, kValues);
  const std::vector<float> importance(x.size(), 1.0f);
  std::vector<uint8_t> blocks(static_cast<size_t>(format.bytes(kValues)));
  const QuantizeWeighted kernel = find_quantize_weighted(format, isa);
  // Rows as long as models have them: the variance is a row's.
  constexpr int64_t kRow = 4096;
  return gigabytes_per_second([&] {
    for (int64_t i = 0; i < kValues; i += kRow)
      kernel(x.data() + i, importance.data() + i, blocks.data() + format.bytes(i), kRow);
  });
}

template <typename Speed>
void print_row(const Format& format, const char* how, const Speed& speed) {
  std::printf("%-8s%-10s", format.name, how);
  for (const Isa isa : kFileIsas) {
    if (isa_supported(isa)) std::printf("  %s %6.3f", isa_name(isa), speed(format, isa));
  }
  std::printf("\n");
}

void run(const char* only) {
  size_t count;
  const Format* rows = formats(&count);
  for (size_t i = 0; i < count; ++i) {
    if (only != nullptr && std::strcmp(only, rows[i].name) != 0) continue;
    if (rows[i].quantize_row != nullptr) print_row(rows[i], "", plain_speed);
    if (rows[i].quantize_weighted != nullptr) print_row(rows[i], "weighted", weighted_speed);
  }
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) { nibble::run(count > 1 ? args[1] : nullptr); }
