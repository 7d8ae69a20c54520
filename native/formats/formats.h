#pragma once

#include <cstddef>
#include <cstdint>

// What a block is: the table of tensor types and their scalar references.
namespace nibble {

// f32 to blocks: `n` values (a multiple of the block) to n / values * bytes bytes.
// The bytes are those of llama-quantize built for plain x86-64, on every machine.
using QuantizeRow = void (*)(const float* x, void* blocks, int64_t n);
// The same with an importance for each of the `n` values, which are one whole row: finite, at least
// 0. The bytes are those of llama-quantize with that importance matrix.
using QuantizeWeighted = void (*)(const float* x, const float* importance, void* blocks, int64_t n);
// Blocks to f32, exactly.
using DequantizeRow = void (*)(const void* blocks, float* x, int64_t n);
// How many of the blocks of `n` values hold a field that no quantizer writes (a scale that is NaN
// or infinite).
using CountInvalid = int64_t (*)(const void* blocks, int64_t n);

// ggml ids by name: kIdQ6_K ...
enum FormatId : uint32_t {
#define NIBBLE_FORMAT(name, id, values, bytes, codec) kId##name = id,
#include "formats/formats.inc"
#undef NIBBLE_FORMAT
};

struct Format {
  const char* name;
  uint32_t id;  // ggml's number
  int64_t values_per_block;
  int64_t bytes_per_block;
  // The scalar references; all are null where Nibble only copies blocks of this type.
  // Null too where the type cannot do without importance.
  QuantizeRow quantize_row;
  // Null too where importance changes nothing.
  QuantizeWeighted quantize_weighted;
  DequantizeRow dequantize_row;
  CountInvalid count_invalid;

  bool has_codec() const { return dequantize_row != nullptr; }
  // Bytes of `n` values.
  int64_t bytes(int64_t n) const { return n / values_per_block * bytes_per_block; }
};

// All rows of formats.inc, in the order of their ids.
const Format* formats(size_t* count);
// The row of that ggml id, or null.
const Format* find_format(uint32_t id);

}  // namespace nibble
