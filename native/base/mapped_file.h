#pragma once

#include <cstdint>
#include <string>

// A whole file as memory that is read only: its pages come from the disk when they are first read,
// and go when memory is short. Paths are UTF-8.
namespace nibble {

class MappedFile {
 public:
  // The file has to be exactly `bytes` long, as when its header was parsed (kFormat).
  MappedFile(const std::string& path, int64_t bytes);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const uint8_t* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  const uint8_t* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace nibble
