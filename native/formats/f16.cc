#include "formats/f16.h"

#include "base/half.h"

namespace nibble {

void quantize_row_F16(const float* x, void* blocks, int64_t n) {
  auto* to = static_cast<uint16_t*>(blocks);
  for (int64_t i = 0; i < n; ++i) to[i] = f32_to_f16(x[i]);
}

void dequantize_row_F16(const void* blocks, float* x, int64_t n) {
  const auto* from = static_cast<const uint16_t*>(blocks);
  for (int64_t i = 0; i < n; ++i) x[i] = f16_to_f32(from[i]);
}

// Every bit pattern is a value; those that are not finite are counted as values.
int64_t count_invalid_F16(const void*, int64_t) { return 0; }

}  // namespace nibble
