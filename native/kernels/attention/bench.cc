// One head of keys and values on one thread: 10^9 operations (a product and a sum are two) per
// second of 256 query rows, as those of prompts, and of few rows 10^9 bytes of keys and values per
// second. The best of several runs. An
// argument is the only instruction set.
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/attention/attention.h"
#include "kernels/row_math/row_math.h"
#include "testing/bench_table.h"
#include "testing/products.h"

namespace nibble {
namespace {

struct Case {
  const char* name;
  int64_t head_dim;
  int64_t group;
  int64_t tokens;  // queries
};

constexpr Case kCases[] = {
    {"prompt", 64, 8, 32}, {"prompt", 128, 4, 64}, {"prompt", 64, 1, 256}, {"decode", 64, 8, 1},
    {"decode", 128, 4, 1}, {"decode", 64, 7, 1},   {"decode", 64, 1, 1},
};
constexpr int64_t kDepths[] = {512, 4096, 16384};

double rate(const Case& which, KeysAndValues type, int64_t depth, Isa isa) {
  const int64_t n = which.head_dim;
  const int64_t rows = which.group * which.tokens;
  const Format& format = *find_format(type == KeysAndValues::kF16 ? kIdF16 : kIdQ8_0);
  const int64_t bytes = depth * format.bytes(n);
  testing::Random random(1);
  const testing::ActivationRows x(testing::Sample::kNormal, random, rows, n, true);
  // Whole numbers that every layout makes a sensible number of.
  std::vector<uint8_t> cache(static_cast<size_t>(2 * bytes + kSlackBytes), 0x21);
  AlignedBuffer memory;
  const int64_t sums_size = rows * (2 + sums_stride(n));
  float* scratch = memory.reserve<float>(attention_scratch(n) + sums_size);
  float* sums = scratch + attention_scratch(n);
  const RunningSums running = {sums, sums + rows, sums + 2 * rows};
  const Attention& kernels = find_attention(isa);
  const double operations = 4.0 * static_cast<double>(rows * depth * n);
  const double amount = which.tokens > 1 ? operations : 2.0 * static_cast<double>(bytes);
  return testing::best_rate(1e-9 * amount, 20, [&] {
    clear_sums(running, rows, n);
    kernels.attend({type, n, cache.data(), cache.data() + bytes},
                   {x.view(), which.group, depth - which.tokens, 0, 0.0f}, 0, depth, running,
                   scratch);
  });
}

void run(const char* only) {
  for (const Case& which : kCases) {
    for (const KeysAndValues type : {KeysAndValues::kF16, KeysAndValues::kQ8_0}) {
      for (const int64_t depth : kDepths) {
        std::printf("%s %-4s head_dim %3d group %d depth %5d", which.name,
                    type == KeysAndValues::kF16 ? "F16" : "Q8_0", static_cast<int>(which.head_dim),
                    static_cast<int>(which.group), static_cast<int>(depth));
        for (const Isa isa : kRuntimeIsas) {
          const bool wanted = only == nullptr || std::strcmp(only, isa_name(isa)) == 0;
          if (wanted && isa_supported(isa))
            std::printf("  %s %7.2f", isa_name(isa), rate(which, type, depth, isa));
        }
        std::printf("\n");
      }
    }
  }
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) { nibble::run(count > 1 ? args[1] : nullptr); }
