#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace nibble {
namespace {

constexpr intptr_t kClosed = -1;
// Linux transfers at most 2^31 - 4096 bytes at once, macOS 2^31 - 1.
constexpr int64_t kMaxTransfer = int64_t{1} << 30;

#ifdef _WIN32

int last_errno() {
  switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
      return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
      return EACCES;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      return ENOSPC;
    default:
      return EIO;
  }
}

intptr_t open_handle(const std::string& path, bool write) {
  const int n = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(static_cast<size_t>(std::max(n, 1)), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), n);
  const HANDLE handle =
      CreateFileW(wide.c_str(), GENERIC_READ | (write ? GENERIC_WRITE : 0),
                  FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
  return handle == INVALID_HANDLE_VALUE ? kClosed : reinterpret_cast<intptr_t>(handle);
}

void close_handle(intptr_t handle) { CloseHandle(reinterpret_cast<HANDLE>(handle)); }

OVERLAPPED at(int64_t offset) {
  OVERLAPPED position = {};
  position.Offset = static_cast<DWORD>(offset);
  position.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return position;
}

// Bytes read, 0 at the end of the file, -1 on an error.
int64_t read_some(intptr_t handle, void* to, int64_t bytes, int64_t offset) {
  OVERLAPPED position = at(offset);
  DWORD done = 0;
  if (ReadFile(reinterpret_cast<HANDLE>(handle), to, static_cast<DWORD>(bytes), &done, &position))
    return done;
  return GetLastError() == ERROR_HANDLE_EOF ? 0 : -1;
}

int64_t write_some(intptr_t handle, const void* from, int64_t bytes, int64_t offset) {
  OVERLAPPED position = at(offset);
  DWORD done = 0;
  const BOOL ok = WriteFile(reinterpret_cast<HANDLE>(handle), from, static_cast<DWORD>(bytes),
                            &done, &position);
  return ok ? done : -1;
}

int64_t size_of(intptr_t handle) {
  LARGE_INTEGER size;
  return GetFileSizeEx(reinterpret_cast<HANDLE>(handle), &size) ? size.QuadPart : -1;
}

#else

int last_errno() { return errno; }

intptr_t open_handle(const std::string& path, bool write) {
  return ::open(path.c_str(), (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
}

void close_handle(intptr_t handle) { ::close(static_cast<int>(handle)); }

int64_t read_some(intptr_t handle, void* to, int64_t bytes, int64_t offset) {
  ssize_t n;
  do {
    n = ::pread(static_cast<int>(handle), to, static_cast<size_t>(bytes), offset);
  } while (n < 0 && errno == EINTR);
  return n;
}

int64_t write_some(intptr_t handle, const void* from, int64_t bytes, int64_t offset) {
  ssize_t n;
  do {
    n = ::pwrite(static_cast<int>(handle), from, static_cast<size_t>(bytes), offset);
  } while (n < 0 && errno == EINTR);
  return n;
}

int64_t size_of(intptr_t handle) {
  struct stat status;
  return ::fstat(static_cast<int>(handle), &status) == 0 ? status.st_size : -1;
}

#endif

}  // namespace

File File::open_read(const std::string& path) {
  const intptr_t handle = open_handle(path, false);
  if (handle == kClosed) throw Error::io(path, "open", last_errno());
  return File(path, handle);
}

File File::open_write(const std::string& path) {
  const intptr_t handle = open_handle(path, true);
  if (handle == kClosed) throw Error::io(path, "open for writing", last_errno());
  return File(path, handle);
}

File::File(File&& other) noexcept : path_(std::move(other.path_)), handle_(other.handle_) {
  other.handle_ = kClosed;
}

File::~File() {
  if (handle_ != kClosed) close_handle(handle_);
}

void File::read(void* to, int64_t bytes, int64_t offset) const {
  char* position = static_cast<char*>(to);
  while (bytes > 0) {
    const int64_t n = read_some(handle_, position, std::min(bytes, kMaxTransfer), offset);
    if (n < 0) throw Error::io(path_, "read", last_errno());
    if (n == 0) throw Error::truncated(path_, offset);
    position += n;
    offset += n;
    bytes -= n;
  }
}

void File::write(const void* from, int64_t bytes, int64_t offset) const {
  const char* position = static_cast<const char*>(from);
  while (bytes > 0) {
    const int64_t n = write_some(handle_, position, std::min(bytes, kMaxTransfer), offset);
    if (n <= 0) throw Error::io(path_, "write", n < 0 ? last_errno() : ENOSPC);
    position += n;
    offset += n;
    bytes -= n;
  }
}

int64_t File::size() const {
  const int64_t bytes = size_of(handle_);
  if (bytes < 0) throw Error::io(path_, "look at", last_errno());
  return bytes;
}

void File::read_runs(void* to, int64_t run, int64_t count, int64_t offset, int64_t pitch) const {
  // The system reads pages: what lies closer together than that is read at once.
  constexpr int64_t kClose = 4096;
  constexpr int64_t kAtOnce = int64_t{1} << 16;
  auto* bytes = static_cast<uint8_t*>(to);
  if (run == pitch) return read(bytes, run * count, offset);
  if (pitch > kClose) {
    for (int64_t i = 0; i < count; ++i) read(bytes + i * run, run, offset + i * pitch);
    return;
  }
  uint8_t between[kAtOnce];
  for (int64_t i = 0; i < count;) {
    const int64_t runs = std::min(count - i, kAtOnce / pitch);
    read(between, (runs - 1) * pitch + run, offset + i * pitch);
    for (const uint8_t* from = between; from < between + runs * pitch; from += pitch, ++i) {
      std::memcpy(bytes + i * run, from, static_cast<size_t>(run));
    }
  }
}

}  // namespace nibble
