#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace nibble {

// Scratch memory at a 64-byte boundary that only grows. Its contents are not kept when it does.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() { release(); }

  // At least `bytes` bytes; throws std::bad_alloc.
  template <typename T>
  T* reserve(int64_t count) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (bytes > bytes_) {
      release();
      data_ = ::operator new(bytes, std::align_val_t{kAlignment});
      bytes_ = bytes;
    }
    return static_cast<T*>(data_);
  }

  // What was reserved.
  template <typename T>
  T* get() const {
    return static_cast<T*>(data_);
  }

 private:
  static constexpr size_t kAlignment = 64;

  void release() {
    if (data_ != nullptr) ::operator delete(data_, std::align_val_t{kAlignment});
    data_ = nullptr;
    bytes_ = 0;
  }

  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace nibble
