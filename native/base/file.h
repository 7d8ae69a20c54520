#pragma once

#include <cstdint>
#include <string>

// Files read and written at offsets, by many threads at once. Paths are UTF-8.
namespace nibble {

class File {
 public:
  static File open_read(const std::string& path);
  // An existing file, to be read and written.
  static File open_write(const std::string& path);

  File(File&& other) noexcept;
  File& operator=(File&& other) = delete;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  // Exactly `bytes` bytes at `offset`; a file that ends before is an error (kFormat).
  void read(void* to, int64_t bytes, int64_t offset) const;
  // `count` runs of `run` bytes, of which each begins `pitch` bytes after the one before, one after
  // the other to `to`.
  void read_runs(void* to, int64_t run, int64_t count, int64_t offset, int64_t pitch) const;
  void write(const void* from, int64_t bytes, int64_t offset) const;
  int64_t size() const;
  const std::string& path() const { return path_; }
  // The operating system's: a file descriptor, on Windows a HANDLE.
  intptr_t handle() const { return handle_; }

 private:
  File(std::string path, intptr_t handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  intptr_t handle_;
};

}  // namespace nibble
