#pragma once

#include <cstdint>
#include <vector>

#include "base/file.h"
#include "stream/tasks.h"

namespace nibble {

// The inputs of a stream, open, each as long as it was when its header was parsed.
std::vector<File> open_inputs(const std::vector<Input>& inputs);

// Reads `count` values of the tensor from value `first` on, in the order of the output: pieces
// joined, rows permuted. `first` and `count` lie at block boundaries. `to` has room for
// task.from->bytes(count) bytes.
void read_source(const std::vector<File>& files, const Task& task, int64_t first, int64_t count,
                 uint8_t* to);

// Bytes [offset, offset + bytes) of the tensor as it lies in its pieces, without the permutation.
void read_pieces(const std::vector<File>& files, const Task& task, int64_t offset, int64_t bytes,
                 uint8_t* to);

}  // namespace nibble
