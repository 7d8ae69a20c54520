#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/file.h"
#include "stream/tasks.h"
#include "stream/tiles.h"

namespace nibble {

// The inputs of a stream, open, each as long as it was when its header was parsed.
std::vector<File> open_inputs(const std::vector<Input>& inputs);

// A thread's; they hold what was read ahead of one stream's inputs.
struct SourceBuffers {
  AlignedBuffer stored;
  AlignedBuffer runs;  // of a transposed piece
  const Piece* piece = nullptr;
  Window window = {};
  DecodeBuffers decode;
};

// Reads `count` values of the tensor from value `first` of the tile on, as the output has them:
// pieces joined and decoded, rows permuted, matrices transposed, one added. They are whole rows, or
// a part of one row at block boundaries. `to` has room for task.from->bytes(count) bytes. Of what
// lies by columns the whole tile is read, for the calls that follow.
void read_source(const std::vector<File>& files, const Task& task, const Tile& tile, int64_t first,
                 int64_t count, uint8_t* to, SourceBuffers& buffers);

}  // namespace nibble
