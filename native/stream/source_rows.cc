#include "stream/source_rows.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernels/dequantize_row/dequantize_row.h"

namespace nibble {
namespace {

// Rows of a source, and where they go: row i to `to + i * stride` (bytes).
struct Rows {
  int64_t first;
  int64_t count;
  int64_t column;  // of all of them, and how many
  int64_t columns;
  uint8_t* to;
  int64_t stride;
};

class TaskReader {
 public:
  TaskReader(const std::vector<File>& files, const Task& task, const Tile& tile,
             SourceBuffers& buffers)
      : files_(files), task_(task), panel_(panel_of(task, tile)), buffers_(buffers) {}

  // Rows in the order of the output (see Task::head_dim).
  void read(const Rows& rows) {
    const int64_t dim = task_.head_dim;
    if (dim == 0) return read_stored(rows);
    const int64_t end = rows.first + rows.count;
    for (int64_t row = rows.first; row < end;) {
      const int64_t head = row / dim * dim;
      const int64_t stop = std::min(end, head + dim);
      for (int64_t half = 0; half < 2; ++half) {
        // The first row of this head's part that comes from this half; then every second one.
        const int64_t start = row + ((row - head) % 2 == half ? 0 : 1);
        if (start >= stop) continue;
        read_stored({head + (start - head) / 2 + half * (dim / 2), (stop - start + 1) / 2,
                     rows.column, rows.columns, rows.to + (start - rows.first) * rows.stride,
                     2 * rows.stride});
      }
      row = stop;
    }
  }

 private:
  // The source's rows that a tile needs: whole heads, where rows are permuted within them.
  static Panel panel_of(const Task& task, const Tile& tile) {
    const int64_t unit = std::max<int64_t>(1, task.head_dim);
    const int64_t first = tile.first / task.n_per_row / unit * unit;
    const int64_t last = (tile.first + tile.count - 1) / task.n_per_row / unit;
    return {first, (last + 1) * unit - first};
  }

  // Rows in the order of the source, piece by piece.
  void read_stored(Rows rows) {
    if (task_.rows == 1 && task_.pieces.size() > 1) return read_parts(rows);
    Panel panel = panel_;
    for (const Piece& piece : task_.pieces) {
      if (rows.count == 0) return;
      // Both counted from the piece's first row.
      if (rows.first >= piece.rows) {
        rows.first -= piece.rows;
        panel.row -= piece.rows;
        continue;
      }
      Rows part = rows;
      part.count = std::min(rows.count, piece.rows - rows.first);
      const int64_t from = std::max<int64_t>(0, panel.row);
      read_piece(piece, part, {from, std::min(piece.rows, panel.row + panel.rows) - from});
      rows.first = 0;
      panel.row -= piece.rows;
      rows.count -= part.count;
      rows.to += part.count * rows.stride;
    }
    if (rows.count != 0)
      throw Error(ErrorCode::kInternal, task_.name + ": pieces are shorter than the tensor");
  }

  // Of the only row, whose parts are the pieces.
  void read_parts(Rows row) {
    const Format& stored = *task_.stored;
    for (const Piece& piece : task_.pieces) {
      const int64_t values = piece.bytes / stored.bytes_per_block * stored.values_per_block;
      if (row.columns > 0 && row.column < values) {
        Rows part = row;
        part.columns = std::min(row.columns, values - row.column);
        read_piece(piece, part, {0, 1});
        row.to += task_.from->bytes(part.columns);
        row.columns -= part.columns;
        row.column = 0;
      } else {
        row.column -= values;
      }
    }
  }

  void read_piece(const Piece& piece, const Rows& rows, const Panel& panel) {
    if (piece.encoded) return read_encoded(*piece.encoded, rows, panel);
    const Format& stored = *task_.stored;
    const int64_t bytes = stored.bytes(rows.columns);
    const bool is_last_step = &stored == task_.from;
    if (is_last_step && !task_.transposed && (rows.count == 1 || rows.stride == bytes)) {
      return read_lines(piece, rows, rows.to);
    }
    uint8_t* read = buffers_.stored.reserve<uint8_t>(rows.count * bytes);
    if (task_.transposed) {
      read_across(piece, rows, panel, read);
    } else {
      read_lines(piece, rows, read);
    }
    for (int64_t i = 0; i < rows.count; ++i) {
      if (is_last_step) {
        std::memcpy(rows.to + i * rows.stride, read + i * bytes, static_cast<size_t>(bytes));
      } else {
        find_dequantize_row(stored, isa_in_use())(
            read + i * bytes, reinterpret_cast<float*>(rows.to + i * rows.stride), rows.columns);
      }
    }
  }

  // One after the other, as they lie in the file.
  void read_lines(const Piece& piece, const Rows& rows, uint8_t* to) {
    const Format& stored = *task_.stored;
    files_[static_cast<size_t>(piece.file)].read(
        to, rows.count * stored.bytes(rows.columns),
        piece.offset + rows.first * stored.bytes(task_.n_per_row) + stored.bytes(rows.column));
  }

  // Of a matrix that lies by columns: a run of every column, as long as the panel has rows.
  void read_across(const Piece& piece, const Rows& rows, const Panel& panel, uint8_t* to) {
    const int64_t each = task_.stored->bytes_per_block;
    const int64_t run = panel.rows * each;
    uint8_t* runs = buffers_.runs.reserve<uint8_t>(rows.columns * run);
    const Window& last = buffers_.window;
    if (buffers_.piece != &piece || last.row != panel.row || last.rows != panel.rows ||
        last.column != rows.column || last.columns != rows.columns) {
      buffers_.piece = nullptr;
      files_[static_cast<size_t>(piece.file)].read_runs(
          runs, run, rows.columns, piece.offset + (rows.column * piece.rows + panel.row) * each,
          piece.rows * each);
      buffers_.piece = &piece;
      buffers_.window = {panel.row, panel.rows, rows.column, rows.columns};
    }
    const uint8_t* first = runs + (rows.first - panel.row) * each;
    if (each == 2) return transpose<uint16_t>(first, panel.rows, rows, to);
    if (each == 4) return transpose<uint32_t>(first, panel.rows, rows, to);
    if (each == 8) return transpose<uint64_t>(first, panel.rows, rows, to);
    transpose<uint8_t>(first, panel.rows, rows, to);
  }

  // Runs to rows, in squares that stay in the first-level cache.
  template <typename T>
  static void transpose(const uint8_t* from, int64_t run, const Rows& rows, uint8_t* to) {
    constexpr int64_t kSquare = 16;
    const auto* x = reinterpret_cast<const T*>(from);
    auto* y = reinterpret_cast<T*>(to);
    for (int64_t c0 = 0; c0 < rows.columns; c0 += kSquare) {
      for (int64_t r0 = 0; r0 < rows.count; r0 += kSquare) {
        for (int64_t r = r0; r < std::min(rows.count, r0 + kSquare); ++r) {
          for (int64_t c = c0; c < std::min(rows.columns, c0 + kSquare); ++c) {
            y[r * rows.columns + c] = x[c * run + r];
          }
        }
      }
    }
  }

  void read_encoded(const EncodedRows& encoded, const Rows& rows, const Panel& panel) {
    if (encoded.step == 1) {
      return decode(encoded, {encoded.first + rows.first, rows.count, rows.column, rows.columns},
                    {encoded.first + panel.row, panel.rows}, rows.to, rows.stride);
    }
    for (int64_t i = 0; i < rows.count; ++i) {
      const int64_t row = encoded.first + (rows.first + i) * encoded.step;
      decode(encoded, {row, 1, rows.column, rows.columns}, {row, 1}, rows.to + i * rows.stride,
             rows.stride);
    }
  }

  void decode(const EncodedRows& encoded, const Window& window, const Panel& panel, uint8_t* to,
              int64_t stride) {
    if (encoded.mxfp4) {
      return repack_window(files_, *encoded.mxfp4, window, to, stride, buffers_.decode);
    }
    decode_window(files_, task_.name, *encoded.scaled, window, panel, reinterpret_cast<float*>(to),
                  stride / int64_t{sizeof(float)}, buffers_.decode);
  }

  const std::vector<File>& files_;
  const Task& task_;
  const Panel panel_;
  SourceBuffers& buffers_;
};

}  // namespace

std::vector<File> open_inputs(const std::vector<Input>& inputs) {
  std::vector<File> files;
  files.reserve(inputs.size());
  for (const Input& input : inputs) {
    files.push_back(File::open_read(input.path));
    const int64_t bytes = files.back().size();
    if (bytes == input.bytes) continue;
    Error error(ErrorCode::kFormat, input.path + ": has changed since its header was read (" +
                                        std::to_string(input.bytes) + " bytes then, " +
                                        std::to_string(bytes) + " now); start again");
    error.path = input.path;
    error.offset = bytes;
    throw error;
  }
  return files;
}

void read_source(const std::vector<File>& files, const Task& task, const Tile& tile, int64_t first,
                 int64_t count, uint8_t* to, SourceBuffers& buffers) {
  const int64_t n = task.n_per_row;
  if (task.pieces.empty()) {
    std::memcpy(to, task.given.data() + first, static_cast<size_t>(count) * sizeof(float));
  } else {
    const int64_t columns = std::min(count, n);
    TaskReader(files, task, tile, buffers)
        .read({first / n, count / columns, first % n, columns, to, task.from->bytes(columns)});
  }
  if (!task.plus_one) return;
  auto* values = reinterpret_cast<float*>(to);
  for (int64_t i = 0; i < count; ++i) values[i] += 1.0f;
}

}  // namespace nibble
