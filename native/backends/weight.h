#pragma once

#include <cstdint>
#include <string>

#include "formats/formats.h"

// A matrix of a model: `rows` rows of `n` values each, in blocks, one row after another.
namespace nibble {

struct Weight {
  std::string name;  // as in the file
  const Format* format = nullptr;
  const uint8_t* data = nullptr;
  int64_t n = 0;
  int64_t rows = 0;
  // Of a tensor with a matrix for every expert, this is one.
  int64_t expert = 0;
  int64_t experts = 1;

  explicit operator bool() const { return data != nullptr; }
  int64_t row_bytes() const { return format->bytes(n); }
  const uint8_t* row(int64_t r) const { return data + r * row_bytes(); }
};

}  // namespace nibble
