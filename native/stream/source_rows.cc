#include "stream/source_rows.h"

#include <algorithm>

#include "base/error.h"

namespace nibble {
namespace {

// Where output row `row` lies in the source (see Task::head_dim).
int64_t source_row(const Task& task, int64_t row) {
  if (task.head_dim == 0) return row;
  const int64_t head = row / task.head_dim;
  const int64_t within = row % task.head_dim;
  return head * task.head_dim + within / 2 + within % 2 * (task.head_dim / 2);
}

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

void read_pieces(const std::vector<File>& files, const Task& task, int64_t offset, int64_t bytes,
                 uint8_t* to) {
  for (const Piece& piece : task.pieces) {
    if (bytes == 0) return;
    if (offset >= piece.bytes) {
      offset -= piece.bytes;
      continue;
    }
    const int64_t n = std::min(bytes, piece.bytes - offset);
    files[static_cast<size_t>(piece.file)].read(to, n, piece.offset + offset);
    to += n;
    bytes -= n;
    offset = 0;
  }
  if (bytes != 0)
    throw Error(ErrorCode::kInternal, task.name + ": pieces are shorter than the tensor");
}

void read_source(const std::vector<File>& files, const Task& task, int64_t first, int64_t count,
                 uint8_t* to) {
  if (task.head_dim == 0) {
    read_pieces(files, task, task.from->bytes(first), task.from->bytes(count), to);
    return;
  }
  while (count > 0) {
    const int64_t column = first % task.n_per_row;
    const int64_t n = std::min(count, task.n_per_row - column);
    const int64_t value = source_row(task, first / task.n_per_row) * task.n_per_row + column;
    read_pieces(files, task, task.from->bytes(value), task.from->bytes(n), to);
    to += task.from->bytes(n);
    first += n;
    count -= n;
  }
}

}  // namespace nibble
