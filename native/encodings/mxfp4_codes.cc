#include "encodings/encoded_rows.h"
#include "formats/block32.h"
#include "formats/mxfp4.h"

namespace nibble {
namespace {

// Byte i holds values 2i and 2i + 1, in GGUF values i and i + 16.
void repack(const uint8_t* pairs, uint8_t* qs) {
  uint8_t codes[kBlock32];
  for (int i = 0; i < kBlock32 / 2; ++i) {
    codes[2 * i] = pairs[i] & 15;
    codes[2 * i + 1] = pairs[i] >> 4;
  }
  pack_nibbles(codes, qs);
}

// The bytes of a window of a grid of bytes, which lies row after row.
void read_bytes(const std::vector<File>& files, const NumberGrid& grid, const Window& window,
                uint8_t* to) {
  files[static_cast<size_t>(grid.file)].read_runs(
      to, window.columns, window.rows, grid.offset + window.row * grid.columns + window.column,
      grid.columns);
}

}  // namespace

void repack_window(const std::vector<File>& files, const Mxfp4Codes& codes, const Window& window,
                   uint8_t* to, int64_t stride, DecodeBuffers& buffers) {
  const int64_t blocks = window.columns / kBlock32;
  uint8_t* pairs = buffers.codes.reserve<uint8_t>(window.rows * window.columns / 2);
  read_bytes(files, codes.codes, {window.row, window.rows, window.column / 2, window.columns / 2},
             pairs);
  uint8_t* scales = buffers.scales.reserve<uint8_t>(window.rows * blocks);
  read_bytes(files, codes.scales, {window.row, window.rows, window.column / kBlock32, blocks},
             scales);
  for (int64_t r = 0; r < window.rows; ++r) {
    auto* block = reinterpret_cast<BlockMXFP4*>(to + r * stride);
    for (int64_t i = 0; i < blocks; ++i, ++block) {
      block->e = scales[r * blocks + i];
      repack(pairs + (r * blocks + i) * int64_t{sizeof(block->qs)}, block->qs);
    }
  }
}

}  // namespace nibble
