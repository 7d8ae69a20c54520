// GB/s of packed weights for every format and instruction set: the best of several runs over rows
// that fit the second-level cache.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "kernels/vec_dot/vec_dot.h"
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
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto began = std::chrono::steady_clock::now();
    kernel(weights.blocks.data(), weights.row_bytes, kRows, x.view(), 0, out);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    best = std::max(best, static_cast<double>(weights.blocks.size()) * 1e-9 / seconds.count());
  }
  return best;
}

void run() {
  size_t count;
  const Format* rows = formats(&count);
  for (size_t i = 0; i < count; ++i) {
    if (!rows[i].has_codec()) continue;
    std::printf("%-6s", rows[i].name);
    for (const Isa isa : kRuntimeIsas) {
      if (isa_supported(isa))
        std::printf("  %s %7.2f", isa_name(isa), gigabytes_per_second(rows[i], isa));
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace nibble

int main() { nibble::run(); }
