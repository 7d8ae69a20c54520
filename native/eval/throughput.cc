#include "eval/throughput.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/peak/peak.h"

namespace nibble {
namespace {

// Caches of servers hold up to some hundred MB, of which one process hardly gets more than this.
constexpr int64_t kWords = int64_t{1} << 26;  // 512 MiB
constexpr int64_t kPiece = int64_t{1} << 17;  // 1 MiB
constexpr int kPasses = 6;
constexpr int kStreams = 4;
constexpr int kLine = 8;

// Four streams side by side: where one comes to the end of a page, the processor foresees the
// others.
uint64_t sum_of(const uint64_t* words, int64_t n) {
  const int64_t part = n / kStreams;
  uint64_t sums[kStreams][kLine] = {};
  for (int64_t i = 0; i < part; i += kLine) {
    for (int s = 0; s < kStreams; ++s) {
      for (int j = 0; j < kLine; ++j) sums[s][j] += words[s * part + i + j];
    }
  }
  uint64_t sum = 0;
  for (const auto& stream : sums) {
    for (const uint64_t each : stream) sum += each;
  }
  return sum;
}

// The most of what `pass` did, per second, over all passes.
template <typename Pass>
double best_rate(const Job& job, const Pass& pass) {
  double best = 0;
  for (int i = 0; i < kPasses; ++i) {
    job.throw_if_cancelled();
    const auto began = std::chrono::steady_clock::now();
    const double done = pass();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    best = std::max(best, done / seconds.count());
  }
  return best;
}

double read_bandwidth(ThreadPool& pool, const std::vector<uint64_t>& memory, const Job& job) {
  return best_rate(job, [&] {
    // The sum is looked at, or the compiler would leave the reading out.
    std::atomic<uint64_t> total{0};
    pool.for_each(kWords / kPiece, [&](int, int64_t index) {
      total.fetch_add(sum_of(memory.data() + index * kPiece, kPiece), std::memory_order_relaxed);
    });
    return total.load() == static_cast<uint64_t>(kWords) ? static_cast<double>(kWords) * 8 : 0.0;
  });
}

// From one half of the memory to the other.
double copy_bandwidth(ThreadPool& pool, std::vector<uint64_t>& memory, const Job& job) {
  constexpr int64_t kHalf = kWords / 2;
  return best_rate(job, [&] {
    pool.for_each(kHalf / kPiece, [&](int, int64_t index) {
      uint64_t* to = memory.data() + index * kPiece;
      std::memcpy(to, to + kHalf, static_cast<size_t>(kPiece) * sizeof(uint64_t));
    });
    return static_cast<double>(kHalf) * 8;
  });
}

double operations(ThreadPool& pool, double (*loop)(int64_t, float*), const Job& job) {
  constexpr int64_t kRounds = int64_t{1} << 20;
  constexpr int64_t kPieces = 4;  // a thread; then one that is held up does less
  const int64_t count = kPieces * pool.threads();
  std::vector<float> results(static_cast<size_t>(count));
  return best_rate(job, [&] {
    std::vector<double> done(static_cast<size_t>(count));
    pool.for_each(count, [&](int, int64_t i) {
      done[static_cast<size_t>(i)] = loop(kRounds, &results[static_cast<size_t>(i)]);
    });
    double sum = 0;
    for (const double each : done) sum += each;
    return sum;
  });
}

}  // namespace

MachineLimits measure_machine(int threads, const Job& job) {
  ThreadPool pool(threads);
  const PeakLoops& peak = find_peak(isa_in_use());
  MachineLimits limits = {};
  limits.int8_operations = operations(pool, peak.int8, job);
  limits.f32_operations = operations(pool, peak.f32, job);
  std::vector<uint64_t> memory(static_cast<size_t>(kWords), 1);
  limits.read_bytes = read_bandwidth(pool, memory, job);
  limits.copy_bytes = copy_bandwidth(pool, memory, job);
  return limits;
}

}  // namespace nibble
