#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"

// What a running job and its owner share: the wish to stop, and how far it has come.
namespace nibble {

class Job {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  void throw_if_cancelled() const {
    if (cancelled()) throw Error(ErrorCode::kAborted, "cancelled");
  }

  void add_done(int64_t bytes) { done_.fetch_add(bytes, std::memory_order_relaxed); }
  int64_t done() const { return done_.load(std::memory_order_relaxed); }

  void finish_task(int64_t index) {
    const std::lock_guard<std::mutex> lock(mutex_);
    finished_.push_back(index);
  }
  // The tasks that have finished since the last call.
  std::vector<int64_t> take_finished() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(finished_, {});
  }

 private:
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> done_{0};
  std::mutex mutex_;
  std::vector<int64_t> finished_;
};

}  // namespace nibble
