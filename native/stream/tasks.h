#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "encodings/encoded_rows.h"
#include "formats/formats.h"

// The tensor table that a stream receives; the border has checked it, no file is parsed here.
namespace nibble {

struct Input {
  std::string path;
  int64_t bytes;  // when its header was parsed
};

// Whole rows of a tensor; where it has one alone, a part of that.
struct Piece {
  int64_t file;  // index of an Input
  int64_t offset;
  int64_t bytes;
  int64_t rows;
  // Null where the bytes are values of Task::stored.
  std::shared_ptr<const EncodedRows> encoded;
};

struct Task {
  std::string name;
  std::vector<Piece> pieces;  // in order: the tensor's rows
  std::vector<float> given;   // the tensor itself, where no file holds it
  const Format* stored;       // of pieces that are not encoded
  const Format* from;         // what reading gives: `stored`, or F32 of values that were computed
  const Format* to;
  int64_t n_per_row;
  int64_t rows;      // over every higher dimension
  int64_t head_dim;  // 0, or: in groups of head_dim rows, row 2i + k is the source's row i + k *
                     // head_dim / 2
  bool transposed;   // a piece holds its matrix by columns: n_per_row lines of as many values as
                     // it has rows
  bool plus_one;     // every value gets 1 more
  int64_t output_offset;  // bytes from the start of the output
  // Empty, or a row of importance for each expert (matrix of the third dimension): then rows are
  // quantized with it, as far as the type can.
  std::vector<float> importance;

  int64_t values() const { return n_per_row * rows; }
  // Of the source.
  int64_t bytes() const {
    if (pieces.empty()) return from->bytes(values());
    int64_t sum = 0;
    for (const Piece& piece : pieces) sum += piece.bytes;
    return sum;
  }
  bool has_source() const { return !pieces.empty() || !given.empty(); }
  bool is_weighted() const { return !importance.empty() && to->quantize_weighted != nullptr; }
  // Of a row.
  const float* importance_of(int64_t row) const {
    const int64_t experts = static_cast<int64_t>(importance.size()) / n_per_row;
    return importance.data() + row / (rows / experts) * n_per_row;
  }
};

struct StreamOptions {
  std::vector<Input> inputs;
  std::string output;
  std::vector<Task> tasks;
  int threads;
};

}  // namespace nibble
