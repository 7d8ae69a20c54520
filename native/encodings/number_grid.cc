#include "encodings/number_grid.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/half.h"

namespace nibble {
namespace {

constexpr int kWordBits = 32;
// Where AWQ puts the eight numbers of a word, in steps of 4 bits.
constexpr int kAwqPlaces[8] = {0, 4, 1, 5, 2, 6, 3, 7};

int64_t numbers_per_word(const Packing& packing) {
  return packing.bits == 0 ? 1 : kWordBits / packing.bits;
}

// A sign, 4 bits of exponent (bias 7), 3 of mantissa; no infinity, all ones are NaN.
float e4m3(uint8_t code) {
  const float sign = (code & 0x80) != 0 ? -1.0f : 1.0f;
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  if ((code & 0x7f) == 0x7f) return std::copysign(NAN, sign);
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -9);
  return sign * std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
}

// The upper byte of a half.
float e5m2(uint8_t code) { return f16_to_f32(static_cast<uint16_t>(code << 8)); }

// A power of two; all ones are NaN.
float e8m0(uint8_t code) {
  return code == 0xff ? NAN : std::ldexp(1.0f, static_cast<int>(code) - 127);
}

float i8(uint8_t code) { return static_cast<float>(static_cast<int8_t>(code)); }
float u8(uint8_t code) { return static_cast<float>(code); }

using ByteTable = std::array<float, 256>;

ByteTable table_of(float (*value)(uint8_t)) {
  ByteTable table;
  for (size_t i = 0; i < table.size(); ++i) table[i] = value(static_cast<uint8_t>(i));
  return table;
}

const ByteTable& byte_table(NumberType type) {
  static const ByteTable kE4M3 = table_of(e4m3);
  static const ByteTable kE5M2 = table_of(e5m2);
  static const ByteTable kE8M0 = table_of(e8m0);
  static const ByteTable kI8 = table_of(i8);
  static const ByteTable kU8 = table_of(u8);
  switch (type) {
    case NumberType::kE4M3:
      return kE4M3;
    case NumberType::kE5M2:
      return kE5M2;
    case NumberType::kE8M0:
      return kE8M0;
    case NumberType::kI8:
      return kI8;
    default:
      return kU8;
  }
}

// Words in memory: that of the window's first number, and the steps to the next row and column of
// words (in words).
struct Words {
  const uint8_t* first;
  int64_t row_step;
  int64_t column_step;
};

// From the first word that holds a number of the window to the last.
Window words_of(const NumberGrid& grid, Window window) {
  if (grid.packing.bits == 0) return window;
  const int64_t per_word = numbers_per_word(grid.packing);
  int64_t& first = grid.packing.down ? window.row : window.column;
  int64_t& count = grid.packing.down ? window.rows : window.columns;
  const int64_t end = (first + count + per_word - 1) / per_word;
  first /= per_word;
  count = end - first;
  return window;
}

// Reads a window of words, each line (row, or column) after the other; `wanted` lies in it.
Words read_words(const std::vector<File>& files, const NumberGrid& grid, const Window& words,
                 const Window& wanted, GridBuffers& buffers) {
  const int64_t each = grid.word_bytes();
  const bool down = grid.by_columns;
  const int64_t lines = down ? words.columns : words.rows;
  const int64_t length = down ? words.rows : words.columns;
  uint8_t* to = buffers.words.reserve<uint8_t>(lines * length * each);
  const Window& last = buffers.window;
  const bool is_there = buffers.file == grid.file && buffers.offset == grid.offset &&
                        last.row == words.row && last.rows == words.rows &&
                        last.column == words.column && last.columns == words.columns;
  if (!is_there) {
    buffers.file = -1;
    const int64_t pitch = down ? grid.word_rows() : grid.word_columns();
    const int64_t first =
        down ? words.column * pitch + words.row : words.row * pitch + words.column;
    files[static_cast<size_t>(grid.file)].read_runs(to, length * each, lines,
                                                    grid.offset + first * each, pitch * each);
    buffers.file = grid.file;
    buffers.offset = grid.offset;
    buffers.window = words;
  }
  const int64_t row_step = down ? 1 : length;
  const int64_t column_step = down ? length : 1;
  const int64_t skipped =
      (wanted.row - words.row) * row_step + (wanted.column - words.column) * column_step;
  return {to + skipped * each, row_step, column_step};
}

// Columns that are gone through row by row: of what lies by columns, so many lines stay in the
// first-level cache.
constexpr int64_t kColumnsAtOnce = 64;

template <typename T, typename Value>
void spread(const Words& words, const Window& window, float* to, int64_t stride,
            const Value& value) {
  for (int64_t c0 = 0; c0 < window.columns; c0 += kColumnsAtOnce) {
    const int64_t end = std::min(window.columns, c0 + kColumnsAtOnce);
    for (int64_t r = 0; r < window.rows; ++r) {
      const uint8_t* row = words.first + r * words.row_step * int64_t{sizeof(T)};
      for (int64_t c = c0; c < end; ++c) {
        T word;
        std::memcpy(&word, row + c * words.column_step * int64_t{sizeof(T)}, sizeof(T));
        to[r * stride + c] = value(word);
      }
    }
  }
}

// At which bit of its word the number `i` of a run stands.
int shift_of(const Packing& packing, int64_t i) {
  const int64_t within = i % numbers_per_word(packing);
  return packing.bits * (packing.awq_order ? kAwqPlaces[within] : static_cast<int>(within));
}

void unpack(const NumberGrid& grid, const Words& words, const Window& window, float* to,
            int64_t stride, GridBuffers& buffers) {
  const Packing& packing = grid.packing;
  const int64_t per_word = numbers_per_word(packing);
  const uint32_t mask = (1u << packing.bits) - 1;
  // Word and bit of each column, as far as they depend on it.
  buffers.places.resize(static_cast<size_t>(window.columns));
  buffers.shifts.resize(static_cast<size_t>(window.columns));
  for (int64_t c = 0; c < window.columns; ++c) {
    const int64_t column = window.column + c;
    const int64_t word = packing.down ? c : column / per_word - window.column / per_word;
    buffers.places[static_cast<size_t>(c)] = word * words.column_step * 4;
    buffers.shifts[static_cast<size_t>(c)] = packing.down ? 0 : shift_of(packing, column);
  }
  const int64_t* places = buffers.places.data();
  const int* shifts = buffers.shifts.data();
  for (int64_t c0 = 0; c0 < window.columns; c0 += kColumnsAtOnce) {
    const int64_t end = std::min(window.columns, c0 + kColumnsAtOnce);
    for (int64_t r = 0; r < window.rows; ++r) {
      const int64_t row = window.row + r;
      const int64_t word_row = packing.down ? row / per_word - window.row / per_word : r;
      const int row_shift = packing.down ? shift_of(packing, row) : 0;
      const uint8_t* from = words.first + word_row * words.row_step * 4;
      for (int64_t c = c0; c < end; ++c) {
        uint32_t word;
        std::memcpy(&word, from + places[c], sizeof(word));
        const uint32_t code = (word >> (row_shift + shifts[c])) & mask;
        to[r * stride + c] = static_cast<float>(static_cast<int32_t>(code));
      }
    }
  }
}

}  // namespace

int64_t NumberGrid::word_rows() const {
  const int64_t per_word = packing.down ? numbers_per_word(packing) : 1;
  return (rows + per_word - 1) / per_word;
}

int64_t NumberGrid::word_columns() const {
  const int64_t per_word = packing.down ? 1 : numbers_per_word(packing);
  return (columns + per_word - 1) / per_word;
}

int64_t NumberGrid::word_bytes() const {
  if (type == NumberType::kF32 || type == NumberType::kI32) return 4;
  return type == NumberType::kF16 || type == NumberType::kBF16 ? 2 : 1;
}

void read_numbers(const std::vector<File>& files, const NumberGrid& grid, const Window& window,
                  const Panel& panel, float* to, int64_t stride, GridBuffers& buffers) {
  const Window read =
      grid.by_columns ? Window{panel.row, panel.rows, window.column, window.columns} : window;
  const Words words =
      read_words(files, grid, words_of(grid, read), words_of(grid, window), buffers);
  switch (grid.type) {
    case NumberType::kI32:
      return unpack(grid, words, window, to, stride, buffers);
    case NumberType::kF32:
      return spread<float>(words, window, to, stride, [](float x) { return x; });
    case NumberType::kF16:
      return spread<uint16_t>(words, window, to, stride, f16_to_f32);
    case NumberType::kBF16:
      return spread<uint16_t>(words, window, to, stride, bf16_to_f32);
    default: {
      const float* table = byte_table(grid.type).data();
      return spread<uint8_t>(words, window, to, stride,
                             [table](uint8_t code) { return table[code]; });
    }
  }
}

}  // namespace nibble
