// Products by number of activation rows, on one thread, with weights that come from memory: 10^9
// operations per second of both kernels, between which panel_from chooses. An argument is the only
// format. `attention` and a number of threads: attention by depth instead, of shapes in use.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "backends/cpu/cpu_backend.h"
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

struct Heads {
  const char* model;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
};

constexpr Heads kHeads[] = {
    {"tinyllama-1.1b", 32, 4, 64}, {"qwen2-0.5b", 14, 2, 64}, {"llama-3-8b", 32, 8, 128}};
constexpr int64_t kDepths[] = {512, 4096, 16384};
constexpr int64_t kPromptRows = 512;
// As many layers have caches of their own, so that a token's keys and values come from memory.
constexpr int64_t kCacheBytes = 128 << 20;

// Milliseconds that a layer takes behind `depth` tokens, of which a batch of `rows` are the last.
double milliseconds_a_layer(Backend& backend, const AttentionShape& shape, CacheType type,
                            int64_t depth, int64_t rows) {
  const int64_t kv_row = shape.kv_heads * shape.head_dim;
  const int64_t layers = std::max<int64_t>(1, kCacheBytes / (4 * kv_row * depth));
  testing::Random random(1);
  const auto normal = [&](int64_t n) {
    return testing::sample_row(testing::Sample::kNormal, random, n);
  };
  const std::vector<float> kv = normal(depth * kv_row);
  const std::vector<float> q = normal(rows * shape.heads * shape.head_dim);
  std::vector<float> out(q.size());
  std::vector<std::unique_ptr<KvCache>> caches;
  for (int64_t layer = 0; layer < layers; ++layer) {
    caches.push_back(backend.make_cache(shape, depth, type));
    backend.write_cache(*caches.back(), 0, kv.data(), kv.data(), depth);
  }
  const double layers_a_second = testing::best_rate(static_cast<double>(layers), kRuns, [&] {
    for (const auto& cache : caches)
      backend.attention(*cache, depth - rows, q.data(), rows, out.data());
  });
  return 1000.0 / layers_a_second;
}

void print_attention(int threads) {
  const std::unique_ptr<Backend> backend = make_cpu_backend(threads);
  for (const Heads& h : kHeads) {
    const AttentionShape shape = {h.heads, h.kv_heads, h.head_dim, 0.125f, 0, 0.0f};
    for (const CacheType type : {CacheType::kF16, CacheType::kQ8_0}) {
      for (const int64_t depth : kDepths) {
        for (const int64_t rows : {kPromptRows, int64_t{1}}) {
          const double ms = milliseconds_a_layer(*backend, shape, type, depth, rows);
          // Of every row with the tokens that it sees: two products of head_dim for each.
          const double seen = static_cast<double>(depth) - 0.5 * static_cast<double>(rows - 1);
          const double operations = 4.0 * seen * static_cast<double>(rows * h.heads * h.head_dim);
          const double bytes = (type == CacheType::kF16 ? 2.0 : 34.0 / 32.0) * 2.0 *
                               static_cast<double>(h.kv_heads * h.head_dim * depth);
          std::printf("%-14s %-4s depth %5d  %3d rows  %8.3f ms a layer  %6.1f Gop/s  %5.1f GB/s\n",
                      h.model, type == CacheType::kF16 ? "F16" : "Q8_0", static_cast<int>(depth),
                      static_cast<int>(rows), ms, 1e-6 * operations / ms, 1e-6 * bytes / ms);
        }
      }
    }
  }
}

}  // namespace
}  // namespace nibble

int main(int count, char** args) {
  if (count > 1 && std::strcmp(args[1], "attention") == 0) {
    nibble::print_attention(count > 2 ? std::atoi(args[2]) : 1);
    return 0;
  }
  nibble::testing::print_table(count, args, nibble::print_format);
}
