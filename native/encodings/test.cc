// Windows of grids in every order of storage, against a number at a time; MXFP4 in another order.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/half.h"
#include "encodings/encoded_rows.h"
#include "formats/mxfp4.h"
#include "testing/check.h"

namespace nibble {
namespace {

using testing::Random;

constexpr int64_t kOffset = 5;

// A file of random bytes, gone with the test.
class RandomFile {
 public:
  RandomFile(int64_t bytes, uint64_t seed)
      : path_((std::filesystem::temp_directory_path() / "nibble-encodings-test").string()) {
    Random random(seed);
    for (int64_t i = 0; i < bytes; ++i) data_.push_back(static_cast<uint8_t>(random.bits()));
  }
  ~RandomFile() { std::filesystem::remove(path_); }

  std::vector<uint8_t>& data() { return data_; }
  std::vector<File> open() {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(data_.data()), static_cast<int64_t>(data_.size()));
    std::vector<File> files;
    files.push_back(File::open_read(path_));
    return files;
  }

 private:
  std::string path_;
  std::vector<uint8_t> data_;
};

uint32_t little_endian(const uint8_t* bytes, int64_t count) {
  uint32_t value = 0;
  for (int64_t i = 0; i < count; ++i) value |= static_cast<uint32_t>(bytes[i]) << (8 * i);
  return value;
}

// The number at (row, column), by the definition of the layout.
float number_at(const std::vector<uint8_t>& data, const NumberGrid& grid, int64_t row,
                int64_t column) {
  const int64_t per_word = grid.packing.bits == 0 ? 1 : 32 / grid.packing.bits;
  const int64_t within = (grid.packing.down ? row : column) % per_word;
  const int64_t r = grid.packing.down ? row / per_word : row;
  const int64_t c = grid.packing.down ? column : column / per_word;
  const int64_t place = grid.by_columns ? c * grid.word_rows() + r : r * grid.word_columns() + c;
  const int64_t each = grid.word_bytes();
  const uint32_t word = little_endian(data.data() + grid.offset + place * each, each);
  switch (grid.type) {
    case NumberType::kI32: {
      // AWQ keeps number 0 2 4 6 1 3 5 7 in bits 0 4 8 ...
      const int64_t bit = !grid.packing.awq_order ? within * grid.packing.bits
                          : within % 2 == 0       ? within * 2
                                                  : 16 + (within - 1) * 2;
      return static_cast<float>(word >> bit & ((1u << grid.packing.bits) - 1));
    }
    case NumberType::kF16:
      return f16_to_f32(static_cast<uint16_t>(word));
    case NumberType::kBF16:
      return bf16_to_f32(static_cast<uint16_t>(word));
    case NumberType::kF32:
      return float_of(word);
    case NumberType::kI8:
      return static_cast<float>(static_cast<int8_t>(word));
    default:
      return static_cast<float>(word);
  }
}

bool same(float a, float b) { return bits_of(a) == bits_of(b) || (std::isnan(a) && std::isnan(b)); }

int64_t below(Random& random, int64_t most) { return random.bits() % most; }

// Random windows of a grid, by turns within one panel.
void test_grid(NumberGrid grid, const char* what) {
  grid.offset = kOffset;
  RandomFile file(kOffset + grid.bytes(), static_cast<uint64_t>(grid.rows));
  const std::vector<File> files = file.open();
  Random random(7);
  GridBuffers buffers;
  for (int round = 0; round < 20; ++round) {
    const int64_t top = below(random, grid.rows);
    const Panel panel = {top, 1 + below(random, grid.rows - top)};
    for (int turn = 0; turn < 3; ++turn) {
      const int64_t row = panel.row + below(random, panel.rows);
      const int64_t column = turn == 0 ? 0 : below(random, grid.columns);
      const Window window = {row, 1 + below(random, panel.row + panel.rows - row), column,
                             turn == 0 ? grid.columns : 1 + below(random, grid.columns - column)};
      const int64_t stride = window.columns + 3;
      std::vector<float> values(static_cast<size_t>(window.rows * stride), -1.5f);
      read_numbers(files, grid, window, panel, values.data(), stride, buffers);
      int64_t wrong = 0;
      for (int64_t i = 0; i < window.rows * stride; ++i) {
        const int64_t c = i % stride;
        const float expected =
            c < window.columns
                ? number_at(file.data(), grid, window.row + i / stride, window.column + c)
                : -1.5f;
        wrong += !same(values[static_cast<size_t>(i)], expected);
      }
      CHECK(wrong == 0, what, round);
    }
  }
}

void test_grids() {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {7, 5}, {64, 32}, {33, 200}, {1200, 3}}) {
    for (const bool by_columns : {false, true}) {
      for (const NumberType type : {NumberType::kI8, NumberType::kU8, NumberType::kF16,
                                    NumberType::kBF16, NumberType::kF32}) {
        test_grid({0, 0, rows, columns, type, by_columns, {0, false, false}}, "numbers");
      }
      for (const bool down : {false, true}) {
        for (const int bits : {2, 4, 8}) {
          const NumberGrid grid = {0, 0, rows, columns, NumberType::kI32, by_columns, {}};
          NumberGrid packed = grid;
          packed.packing = {bits, down, false};
          test_grid(packed, "words");
          packed.packing = {4, down, true};
          if (bits == 4) test_grid(packed, "words in AWQ's order");
        }
      }
    }
  }
}

void test_floats_of_8_bits() {
  RandomFile file(kOffset + 256, 1);
  for (int i = 0; i < 256; ++i)
    file.data()[static_cast<size_t>(kOffset + i)] = static_cast<uint8_t>(i);
  const std::vector<File> files = file.open();
  float values[256];
  const auto read = [&](NumberType type) {
    GridBuffers fresh;
    read_numbers(files, {0, kOffset, 1, 256, type, false, {0, false, false}}, {0, 1, 0, 256},
                 {0, 1}, values, 256, fresh);
  };
  read(NumberType::kE4M3);
  CHECK(values[0] == 0 && values[1] == 0x1p-9f && values[8] == 0x1p-6f && values[0x38] == 1, "E4M3",
        0);
  CHECK(values[0x7e] == 448 && values[0xfe] == -448 && std::isnan(values[0x7f]), "E4M3", 1);
  CHECK(std::isnan(values[0xff]) && std::signbit(values[0x80]), "E4M3", 2);
  read(NumberType::kE5M2);
  CHECK(values[1] == 0x1p-16f && values[0x3c] == 1 && values[0x7b] == 57344, "E5M2", 0);
  CHECK(std::isinf(values[0x7c]) && std::isnan(values[0x7d]), "E5M2", 1);
  read(NumberType::kE8M0);
  CHECK(values[127] == 1 && values[0] == 0x1p-127f && values[254] == 0x1p127f, "E8M0", 0);
  CHECK(std::isnan(values[255]), "E8M0", 1);
}

// Groups of columns in no order, and one that does not exist.
void test_groups() {
  constexpr int64_t kRows = 9;
  constexpr int64_t kColumns = 40;
  constexpr int64_t kGroups = 3;
  const NumberGrid codes = {0, 0, kRows, kColumns, NumberType::kI8, false, {0, false, false}};
  const NumberGrid scales = {0, 400, kRows, kGroups, NumberType::kBF16, true, {0, false, false}};
  RandomFile file(1000, 3);
  constexpr int64_t kIndex = 600;
  Random random(5);
  for (int64_t c = 0; c < kColumns; ++c) {
    const auto group = static_cast<uint32_t>(below(random, kGroups));
    for (int64_t i = 0; i < 4; ++i)
      file.data()[static_cast<size_t>(kIndex + 4 * c + i)] = static_cast<uint8_t>(group >> (8 * i));
  }
  const ScaledCodes scaled = {codes, scales, std::nullopt, 3.0f, 1, 16, GroupIndex{0, kIndex}};
  float values[kRows * kColumns];
  DecodeBuffers buffers;
  decode_window(file.open(), "t", scaled, {2, 5, 7, 20}, {0, kRows}, values, 20, buffers);
  int64_t wrong = 0;
  for (int64_t i = 0; i < 100; ++i) {
    const int64_t row = 2 + i / 20;
    const int64_t column = 7 + i % 20;
    const float code = number_at(file.data(), codes, row, column);
    const int64_t group = file.data()[static_cast<size_t>(kIndex + 4 * column)];
    wrong += !same(values[i], (code - 3.0f) * number_at(file.data(), scales, row, group));
  }
  CHECK(wrong == 0, "groups by index", 0);

  file.data()[kIndex + 4 * 11] = kGroups;
  DecodeBuffers fresh;
  bool refused = false;
  try {
    decode_window(file.open(), "t", scaled, {0, 1, 0, kColumns}, {0, 1}, values, kColumns, fresh);
  } catch (const Error& error) {
    refused = error.code == ErrorCode::kFormat && error.offset == kIndex + 4 * 11;
  }
  CHECK(refused, "a group that does not exist", 0);
}

void test_mxfp4() {
  constexpr int64_t kRows = 6;
  constexpr int64_t kColumns = 96;
  const Mxfp4Codes codes = {
      {0, 0, kRows, kColumns / 2, NumberType::kU8, false, {0, false, false}},
      {0, 300, kRows, kColumns / 32, NumberType::kU8, false, {0, false, false}}};
  RandomFile file(400, 4);
  std::vector<BlockMXFP4> blocks(kRows * 2);
  DecodeBuffers buffers;
  repack_window(file.open(), codes, {1, 4, 32, 64}, reinterpret_cast<uint8_t*>(blocks.data()),
                2 * int64_t{sizeof(BlockMXFP4)}, buffers);
  int64_t wrong = 0;
  for (int64_t b = 0; b < 8; ++b) {
    const int64_t block = (1 + b / 2) * 3 + 1 + b % 2;
    wrong += blocks[static_cast<size_t>(b)].e != file.data()[static_cast<size_t>(300 + block)];
    for (int64_t i = 0; i < 32; ++i) {
      const int from = file.data()[static_cast<size_t>(block * 16 + i / 2)] >> (4 * (i % 2)) & 15;
      const int to = blocks[static_cast<size_t>(b)].qs[i % 16] >> (4 * (i / 16)) & 15;
      wrong += from != to;
    }
  }
  CHECK(wrong == 0, "MXFP4", 0);
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::test_grids();
  nibble::test_floats_of_8_bits();
  nibble::test_groups();
  nibble::test_mxfp4();
  return nibble::testing::report();
}
