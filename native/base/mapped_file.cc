#include "base/mapped_file.h"

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/file.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/mman.h>
#endif

namespace nibble {
namespace {

#ifdef _WIN32

const void* map(const File& file, int64_t) {
  const HANDLE mapping = CreateFileMappingW(reinterpret_cast<HANDLE>(file.handle()), nullptr,
                                            PAGE_READONLY, 0, 0, nullptr);
  const void* data = mapping == nullptr ? nullptr : MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
  if (mapping != nullptr) CloseHandle(mapping);
  if (data == nullptr) throw Error::io(file.path(), "map", ENOMEM);
  return data;
}

void unmap(const void* data, int64_t) { UnmapViewOfFile(data); }

#else

const void* map(const File& file, int64_t bytes) {
  void* data = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ, MAP_SHARED,
                      static_cast<int>(file.handle()), 0);
  if (data == MAP_FAILED) throw Error::io(file.path(), "map", errno);
  // Weights are read from the first to the last, again and again.
  ::madvise(data, static_cast<size_t>(bytes), MADV_WILLNEED);
  return data;
}

void unmap(const void* data, int64_t bytes) {
  ::munmap(const_cast<void*>(data), static_cast<size_t>(bytes));
}

#endif

}  // namespace

MappedFile::MappedFile(const std::string& path, int64_t bytes) : bytes_(bytes) {
  const File file = File::open_read(path);
  const int64_t now = file.size();
  if (now != bytes) {
    Error error(ErrorCode::kFormat, path + ": has " + std::to_string(now) + " bytes, and had " +
                                        std::to_string(bytes) + " when its header was read");
    error.path = path;
    throw error;
  }
  if (bytes == 0) return;
  data_ = static_cast<const uint8_t*>(map(file, bytes));
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) unmap(data_, bytes_);
}

}  // namespace nibble
