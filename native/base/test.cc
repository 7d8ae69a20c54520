// The pool of threads, and files as memory.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "testing/check.h"

namespace nibble {
namespace {

using std::chrono::microseconds;
using testing::Random;

// Plain variables, so that a sanitizer sees whether two threads meet: one for each index, and one
// for each thread.
bool runs_each_once(ThreadPool& pool, int64_t count) {
  std::vector<uint8_t> times(static_cast<size_t>(count));
  std::vector<int64_t> of_thread(static_cast<size_t>(pool.threads()));
  bool in_range = true;
  pool.for_each(count, [&](int thread, int64_t index) {
    if (thread < 0 || thread >= pool.threads() || index < 0 || index >= count) {
      in_range = false;
      return;
    }
    ++times[static_cast<size_t>(index)];
    ++of_thread[static_cast<size_t>(thread)];
  });
  int64_t total = 0;
  for (const int64_t part : of_thread) total += part;
  for (const uint8_t time : times) in_range = in_range && time == 1;
  return in_range && total == count;
}

void test_each_index_once() {
  for (int threads = 1; threads <= 8; ++threads) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads, "threads", threads);
    for (const int64_t count : {0, 1, 2, 7, 1000, 100000})
      CHECK(runs_each_once(pool, count), "threads", threads);
  }
}

// The body and its variables are gone when the round is over: a worker that is late must not touch
// them.
void test_rounds() {
  for (const int threads : {2, 3, 8}) {
    ThreadPool pool(threads);
    int64_t wrong = 0;
    for (int round = 0; round < 20000; ++round) wrong += !runs_each_once(pool, round % 9);
    CHECK(wrong == 0, "rounds back to back, threads", threads);
  }
}

// Pauses about as long as workers spin, and a little longer, as they fall asleep.
void test_rounds_with_pauses() {
  Random random(3);
  for (const int threads : {2, 3, 8}) {
    ThreadPool pool(threads);
    int64_t wrong = 0;
    for (int round = 0; round < 400; ++round) {
      const auto end = std::chrono::steady_clock::now() + microseconds(80 + random.bits() % 60);
      while (std::chrono::steady_clock::now() < end) {
      }
      if (round % 4 == 0) std::this_thread::sleep_for(microseconds(300));
      wrong += !runs_each_once(pool, 2 + round % 9);
    }
    CHECK(wrong == 0, "rounds with pauses, threads", threads);
  }
}

// A round is over when its slowest piece is.
void test_slow_piece() {
  for (const int threads : {2, 8}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 20; ++round) {
      std::vector<int> done(10);
      pool.for_each(10, [&](int, int64_t index) {
        if (index == round % 10) std::this_thread::sleep_for(microseconds(1000));
        done[static_cast<size_t>(index)] = 1;
      });
      int total = 0;
      for (const int one : done) total += one;
      CHECK(total == 10, "slow piece, threads", threads);
    }
  }
}

// Who fell asleep is woken: otherwise the caller does all the work, and that correctly.
void test_sleepers_wake() {
  for (const int threads : {2, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 5; ++round) {
      std::this_thread::sleep_for(microseconds(3000));
      std::vector<int> pieces(static_cast<size_t>(threads));
      pool.for_each(20, [&](int thread, int64_t) {
        ++pieces[static_cast<size_t>(thread)];
        std::this_thread::sleep_for(microseconds(1000));
      });
      CHECK(pieces[0] < 20, "woken, threads", threads);
    }
  }
}

void test_destruction() {
  for (int round = 0; round < 300; ++round) {
    const int threads = 1 + round % 8;
    { const ThreadPool at_once(threads); }
    ThreadPool pool(threads);
    if (round % 3 == 0) CHECK(runs_each_once(pool, 5), "threads", threads);
    if (round % 3 == 1) std::this_thread::sleep_for(microseconds(90 + round % 30));
    if (round % 20 == 2) std::this_thread::sleep_for(microseconds(2000));
  }
}

void test_two_pools() {
  int64_t wrong[2] = {};
  const auto use = [&](int which) {
    ThreadPool pool(3);
    for (int round = 0; round < 3000; ++round)
      wrong[which] += !runs_each_once(pool, 1 + (round + which) % 6);
  };
  std::thread other(use, 1);
  use(0);
  other.join();
  CHECK(wrong[0] == 0 && wrong[1] == 0, "two pools", 0);
}

// A file of that content that is gone with it. Its name is not ASCII.
struct TemporaryFile {
  std::filesystem::path path;

  explicit TemporaryFile(const std::string& content) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    path = std::filesystem::temp_directory_path() /
           std::filesystem::u8path("nibble-\xc3\xa9\xe6\xa8\xa1-" + std::to_string(now));
    std::ofstream(path, std::ios::binary) << content;
  }
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  std::string name() const { return path.u8string(); }
};

// The error of mapping, or an internal one where there is none.
Error error_of(const std::string& path, int64_t bytes) {
  try {
    const MappedFile file(path, bytes);
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::kInternal, "no error");
}

void test_mapped_file() {
  std::string content;
  Random random(4);
  for (int i = 0; i < 100003; ++i) content += static_cast<char>(random.bits());
  const TemporaryFile file(content);
  const auto bytes = static_cast<int64_t>(content.size());
  MappedFile mapped(file.name(), bytes);
  CHECK(mapped.bytes() == bytes, "bytes", mapped.bytes());
  CHECK(std::string(mapped.data(), mapped.data() + bytes) == content, "content", bytes);
  const MappedFile again(file.name(), bytes);
  MappedFile moved(std::move(mapped));
  CHECK(mapped.data() == nullptr && mapped.bytes() == 0, "moved from", mapped.bytes());
  CHECK(std::string(moved.data(), moved.data() + bytes) == content, "moved", bytes);
  CHECK(std::string(again.data(), again.data() + bytes) == content, "mapped twice", bytes);
  for (const int64_t wrong : {bytes - 1, bytes + 1, int64_t{0}, int64_t{1} << 50}) {
    const Error error = error_of(file.name(), wrong);
    CHECK(error.code == ErrorCode::kFormat && error.path == file.name(), error.what(), wrong);
  }
}

void test_files_without_content() {
  const TemporaryFile empty("");
  const MappedFile mapped(empty.name(), 0);
  CHECK(mapped.bytes() == 0, "empty", mapped.bytes());
  CHECK(error_of(empty.name(), 1).code == ErrorCode::kFormat, "empty", 1);
  const std::string missing = empty.name() + "-missing";
  const Error error = error_of(missing, 10);
  CHECK(error.code == ErrorCode::kIo && error.path == missing, error.what(), 0);
  CHECK(error.errno_name == "ENOENT", error.what(), 0);
  const std::string folder = std::filesystem::temp_directory_path().u8string();
  CHECK(error_of(folder, -1).code != ErrorCode::kInternal, "folder", 0);
}

void run() {
  test_each_index_once();
  test_rounds();
  test_rounds_with_pauses();
  test_slow_piece();
  test_sleepers_wake();
  test_destruction();
  test_two_pools();
  test_mapped_file();
  test_files_without_content();
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
