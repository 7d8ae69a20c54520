#include "formats/f32.h"

#include <cstring>

namespace nibble {

void quantize_row_F32(const float* x, void* blocks, int64_t n) {
  std::memcpy(blocks, x, static_cast<size_t>(n) * sizeof(float));
}

void dequantize_row_F32(const void* blocks, float* x, int64_t n) {
  std::memcpy(x, blocks, static_cast<size_t>(n) * sizeof(float));
}

// Every bit pattern is a value; those that are not finite are counted as values.
int64_t count_invalid_F32(const void*, int64_t) { return 0; }

}  // namespace nibble
