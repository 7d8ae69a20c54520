#include "eval/throughput.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "base/thread_pool.h"

namespace nibble {
namespace {

// Caches of servers hold up to some hundred MB, of which one process hardly gets more than this.
constexpr int64_t kWords = int64_t{1} << 26;  // 512 MiB
constexpr int64_t kPiece = int64_t{1} << 17;  // 1 MiB
constexpr int kPasses = 6;
constexpr int kSums = 16;

uint64_t sum_of(const uint64_t* words, int64_t n) {
  uint64_t sums[kSums] = {};
  for (int64_t i = 0; i < n; i += kSums) {
    for (int j = 0; j < kSums; ++j) sums[j] += words[i + j];
  }
  uint64_t sum = 0;
  for (const uint64_t each : sums) sum += each;
  return sum;
}

}  // namespace

double read_bandwidth(int threads, const Job& job) {
  const std::vector<uint64_t> memory(static_cast<size_t>(kWords), 1);
  ThreadPool pool(threads);
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    job.throw_if_cancelled();
    // The sum is looked at, or the compiler would leave the reading out.
    std::atomic<uint64_t> total{0};
    const auto began = std::chrono::steady_clock::now();
    pool.for_each(kWords / kPiece, [&](int, int64_t index) {
      total.fetch_add(sum_of(memory.data() + index * kPiece, kPiece), std::memory_order_relaxed);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    if (total.load() == static_cast<uint64_t>(kWords))
      best = std::max(best, static_cast<double>(kWords) * 8 / seconds.count());
  }
  return best;
}

}  // namespace nibble
