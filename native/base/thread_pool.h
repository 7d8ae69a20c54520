#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

// Threads that wait for the next piece of work, a few microseconds at a time: spinning at first,
// then asleep. The products of a model come thousands of times a second.
namespace nibble {

class ThreadPool {
 public:
  // `threads` compute, of which the caller of for_each is one. Where the system gives fewer, fewer
  // do all the work.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(thread, index) once for every index below `count`, thread below threads(); returns
  // when all are done. One caller at a time; `body` must not throw. A single index is the caller's.
  template <typename Body>
  void for_each(int64_t count, const Body& body) {
    const Call call = [](const void* context, int thread, int64_t index) {
      (*static_cast<const Body*>(context))(thread, index);
    };
    run(count, call, &body);
  }

 private:
  using Call = void (*)(const void* context, int thread, int64_t index);

  void run(int64_t count, Call call, const void* context);
  void work(int thread);
  void wait_for_news(uint64_t seen);
  void take_indices(int thread);
  bool join_round();

  // The round of work: a number that grows, whether it is still open, and who has joined it. A
  // worker that comes late (its core is taken by somebody else) finds it closed, and nobody waits
  // for it.
  std::atomic<uint64_t> round_{0};
  std::atomic<int64_t> next_{0};
  int64_t count_ = 0;
  Call call_ = nullptr;
  const void* context_ = nullptr;

  std::atomic<bool> over_{false};
  std::atomic<int> asleep_{0};
  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<std::thread> workers_;
};

}  // namespace nibble
