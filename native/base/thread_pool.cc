#include "base/thread_pool.h"

#include <chrono>
#include <system_error>

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace nibble {
namespace {

// round_: [number of the round : 47][open : 1][workers inside : 16].
constexpr uint64_t kInside = 0xffff;
constexpr uint64_t kOpen = 0x10000;
constexpr uint64_t kNumber = ~(kInside | kOpen);
constexpr uint64_t kNextNumber = 0x20000;

// A product of a small model takes some microseconds, waking a thread some fifty.
constexpr std::chrono::microseconds kSpin{100};
// Looks at the clock once in so many turns.
constexpr int kTurns = 64;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back(&ThreadPool::work, this, i);
  } catch (const std::system_error&) {
    // Fewer threads than asked for still do all the work.
  }
}

ThreadPool::~ThreadPool() {
  over_.store(true);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    round_.fetch_add(kNextNumber);
  }
  news_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, Call call, const void* context) {
  if (count <= 1 || workers_.empty()) {
    for (int64_t i = 0; i < count; ++i) call(context, 0, i);
    return;
  }
  count_ = count;
  call_ = call;
  context_ = context;
  next_.store(0, std::memory_order_relaxed);
  // Nobody is inside, and nobody can join before this: what was written above is seen by who does.
  round_.store(((round_.load(std::memory_order_relaxed) & kNumber) + kNextNumber) | kOpen);
  if (asleep_.load() > 0) {
    // With the lock: who is about to sleep has looked before, or sees the round.
    { const std::lock_guard<std::mutex> lock(mutex_); }
    news_.notify_all();
  }
  take_indices(0);
  round_.fetch_and(~kOpen);
  for (int turn = 0; (round_.load(std::memory_order_acquire) & kInside) != 0; ++turn) {
    // Whoever is inside may need this very core.
    if (turn < 1 << 12) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::take_indices(int thread) {
  for (;;) {
    const int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index >= count_) return;
    call_(context_, thread, index);
  }
}

bool ThreadPool::join_round() {
  uint64_t round = round_.load();
  while ((round & kOpen) != 0) {
    if (round_.compare_exchange_weak(round, round + 1)) return true;
  }
  return false;
}

void ThreadPool::work(int thread) {
  uint64_t seen = 0;
  while (!over_.load()) {
    wait_for_news(seen);
    seen = round_.load() & kNumber;
    if (!join_round()) continue;
    take_indices(thread);
    round_.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::wait_for_news(uint64_t seen) {
  const auto is_new = [&] { return (round_.load() & kNumber) != seen; };
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kTurns; ++i) {
      if (is_new()) return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  asleep_.fetch_add(1);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    news_.wait(lock, is_new);
  }
  asleep_.fetch_sub(1);
}

}  // namespace nibble
