// GB/s of f32 for every format and instruction set: the best of several runs over data that fits
// the second-level cache.
#include <chrono>
#include <cstdio>
#include <vector>

#include "kernels/dequantize_row/dequantize_row.h"
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
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto began = std::chrono::steady_clock::now();
    find_dequantize_row(format, isa)(blocks.data(), x.data(), kValues);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    best = std::max(best, static_cast<double>(kValues) * 4e-9 / seconds.count());
  }
  return best;
}

void run() {
  size_t count;
  const Format* rows = formats(&count);
  for (size_t i = 0; i < count; ++i) {
    if (!rows[i].has_codec()) continue;
    std::printf("%-6s", rows[i].name);
    for (const Isa isa : kFileIsas) {
      if (isa_supported(isa))
        std::printf("  %s %6.2f", isa_name(isa), gigabytes_per_second(rows[i], isa));
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace nibble

int main() { nibble::run(); }
