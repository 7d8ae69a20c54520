#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/file.h"

// Matrices of numbers as other programs' checkpoints hold them: codes, scales and zero points, in
// any order of storage, one by one or several in a word. Everything here becomes F32, exactly.
namespace nibble {

enum class NumberType { kE4M3, kE5M2, kE8M0, kI8, kU8, kF16, kBF16, kF32, kI32 };

// Numbers of a few bits in words of 32: number i of a run stands in word i / (32 / bits).
struct Packing {
  int bits;        // 2, 4 or 8; 0: the numbers are not packed
  bool down;       // a word holds numbers of one column; else of one row
  bool awq_order;  // number i of a word stands where AWQ has it, else at bit i * bits
};

struct NumberGrid {
  int64_t file;  // index of an input
  int64_t offset;
  int64_t rows;
  int64_t columns;
  NumberType type;
  bool by_columns;  // what lies together is a column; else a row
  Packing packing;  // of kI32

  // Of the words, which are the numbers where nothing is packed.
  int64_t word_rows() const;
  int64_t word_columns() const;
  int64_t word_bytes() const;
  int64_t bytes() const { return word_rows() * word_columns() * word_bytes(); }
};

// Part of a matrix.
struct Window {
  int64_t row;
  int64_t rows;
  int64_t column;
  int64_t columns;
};

// Rows that are asked for one window after the other: of what lies by columns they are read at
// once, since a few rows of it are as many short runs as it has columns.
struct Panel {
  int64_t row;
  int64_t rows;
};

// What was read last of a grid; every grid that is read by turns has its own.
struct GridBuffers {
  AlignedBuffer words;
  // Which words they are.
  int64_t file = -1;
  int64_t offset = -1;
  Window window = {};
  std::vector<int64_t> places;
  std::vector<int> shifts;
};

// The numbers of a window, whose rows lie in the panel: row i of it goes to `to + i * stride`.
void read_numbers(const std::vector<File>& files, const NumberGrid& grid, const Window& window,
                  const Panel& panel, float* to, int64_t stride, GridBuffers& buffers);

}  // namespace nibble
