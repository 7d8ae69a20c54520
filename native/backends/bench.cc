// Products by number of activation rows, on one thread, with weights that come from memory: 10^9
// operations per second of both kernels, between which panel_from chooses. An argument is the only
// format.
#include <algorithm>
#include <cstring>

#include "backends/cpu/products.h"
#include "testing/bench_table.h"
#include "testing/products.h"

namespace nibble {
namespace {

constexpr int64_t kLength = 4096;
constexpr int64_t kDistinctRows = 64;
constexpr int64_t kBytes = 96 << 20;
constexpr int64_t kPieceBytes = 1 << 17;
constexpr int64_t kRowCounts[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32};
constexpr int kRuns = 5;

void print_format(const Format& format) {
  testing::Random random(1);
  const testing::WeightRows few(format, testing::Sample::kNormal, random, kDistinctRows, kLength);
  const int64_t rows = kBytes / few.row_bytes / kDistinctRows * kDistinctRows;
  std::vector<uint8_t> weights(static_cast<size_t>(rows * few.row_bytes));
  for (size_t at = 0; at < weights.size(); at += few.blocks.size())
    std::memcpy(weights.data() + at, few.blocks.data(), few.blocks.size());
  const Kernels kernels = KernelsOfFormats(isa_in_use())[format];
  AlignedBuffer panel;
  void* memory = panel.reserve<uint8_t>(panel_bytes(kLength));
  const int64_t piece = std::max<int64_t>(1, kPieceBytes / few.row_bytes);
  for (const int64_t count : kRowCounts) {
    const testing::ActivationRows x(testing::Sample::kNormal, random, count, kLength,
                                    takes_codes(format));
    std::vector<float> out(static_cast<size_t>(count * rows));
    const auto rate = [&](const auto& multiply) {
      return testing::best_rate(2e-9 * static_cast<double>(count * rows * kLength), kRuns, [&] {
        for (int64_t r = 0; r < rows; r += piece) {
          multiply(weights.data() + r * few.row_bytes, std::min(piece, rows - r), out.data() + r);
        }
      });
    };
    const double apart = rate([&](const uint8_t* first, int64_t some, float* to) {
      for (int64_t a = 0; a < count; ++a)
        kernels.vec_dot(first, few.row_bytes, some, x.view(), a, to + a * rows);
    });
    const double together = rate([&](const uint8_t* first, int64_t some, float* to) {
      kernels.mul_mat(first, few.row_bytes, some, x.view(), to, rows, memory);
    });
    std::printf("%-8s %2d rows  vec_dot %7.1f  mul_mat %7.1f\n", format.name,
                static_cast<int>(count), apart, together);
  }
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) {
  nibble::testing::print_table(count, args, nibble::print_format);
}
