// 10^9 operations (a product and a sum are two) per second for every format and instruction set:
// the best of several runs of 512 activation rows.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/aligned_buffer.h"
#include "kernels/mul_mat/mul_mat.h"
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
  double best = 0;
  const int runs = isa == Isa::kGeneric ? 1 : 8;
  for (int run = 0; run < runs; ++run) {
    const auto began = std::chrono::steady_clock::now();
    kernel(weights.blocks.data(), weights.row_bytes, kRows, x.view(), out.data(), kRows, panel);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    best = std::max(best, 2e-9 * kRows * kLength * kActs / seconds.count());
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
        std::printf("  %s %7.1f", isa_name(isa), gigaoperations_per_second(rows[i], isa));
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace nibble

int main() { nibble::run(); }
