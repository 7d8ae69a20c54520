#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "encodings/number_grid.h"

// Weights that other programs have quantized, as data: where codes, scales and zero points lie.
// GPTQ, AWQ, compressed-tensors and FP8 differ in that alone.
namespace nibble {

// Which group of columns each column belongs to (int32), where that does not follow from its place.
struct GroupIndex {
  int64_t file;
  int64_t offset;
};

// value(r, c) = (code(r, c) - zero(R, g)) * scale(R, g), with R = r / rows_per_scale, and g the
// group of column c: c / columns_per_scale, or what the index says.
struct ScaledCodes {
  NumberGrid codes;
  std::optional<NumberGrid> scales;
  std::optional<NumberGrid> zeros;  // as many as scales
  float zero_bias;                  // added to zeros; where there are none it is the zero point
  int64_t rows_per_scale;
  int64_t columns_per_scale;
  std::optional<GroupIndex> groups;
};

// 16 bytes of E2M1 codes per 32 values, 2i in the low and 2i + 1 in the high half of byte i, and a
// byte of E8M0 scale: MXFP4 in another order.
struct Mxfp4Codes {
  NumberGrid codes;   // kU8, rows x columns / 2
  NumberGrid scales;  // kU8, rows x columns / 32
};

// Some rows of an encoded matrix: first, first + step ...
struct EncodedRows {
  std::optional<ScaledCodes> scaled;  // else mxfp4
  std::optional<Mxfp4Codes> mxfp4;
  int64_t first;
  int64_t step;
};

struct DecodeBuffers {
  GridBuffers code_words;
  GridBuffers scale_words;
  GridBuffers zero_words;
  AlignedBuffer scales;
  AlignedBuffer zeros;
  AlignedBuffer codes;
  std::vector<int32_t> groups;
};

// Values of a window of the matrix as F32, row i of it to `to + i * stride`; the panel is that of
// read_numbers. `name` is the tensor's, for the error (kFormat) where a group does not exist.
void decode_window(const std::vector<File>& files, const std::string& name,
                   const ScaledCodes& codes, const Window& window, const Panel& panel, float* to,
                   int64_t stride, DecodeBuffers& buffers);

// The same as blocks of MXFP4; columns are whole blocks, `stride` is in bytes.
void repack_window(const std::vector<File>& files, const Mxfp4Codes& codes, const Window& window,
                   uint8_t* to, int64_t stride, DecodeBuffers& buffers);

}  // namespace nibble
