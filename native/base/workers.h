#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nibble {

// Runs `body(index)` for every index below `count`, on `threads` threads of which the caller is
// one. Each thread makes a state of its own first, so that buffers are reused. The first exception
// stops the others and is thrown here.
template <typename State>
void for_each_on_workers(int threads, int64_t count,
                         const std::function<void(State&, int64_t)>& body) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      State state;
      for (int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) body(state, i);
    } catch (...) {
      next.store(count);
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  try {
    for (int i = 1; i < threads && i < count; ++i) others.emplace_back(work);
  } catch (const std::system_error&) {
    // Fewer threads than asked for still do all the work.
  }
  work();
  for (std::thread& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace nibble
