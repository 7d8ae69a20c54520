#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/formats.h"

// The tensor table that a stream receives; the border has checked it, no file is parsed here.
namespace nibble {

struct Input {
  std::string path;
  int64_t bytes;  // when its header was parsed
};

struct Piece {
  int64_t file;  // index of an Input
  int64_t offset;
  int64_t bytes;
};

struct Task {
  std::string name;
  std::vector<Piece> pieces;  // in order: the tensor's bytes
  const Format* from;
  const Format* to;
  int64_t n_per_row;
  int64_t rows;      // over every higher dimension
  int64_t head_dim;  // 0, or: in groups of head_dim rows, row 2i + k is the source's row i + k *
                     // head_dim / 2
  int64_t output_offset;  // bytes from the start of the output

  int64_t values() const { return n_per_row * rows; }
};

struct StreamOptions {
  std::vector<Input> inputs;
  std::string output;
  std::vector<Task> tasks;
  int threads;
};

}  // namespace nibble
