#include "formats/mxfp4.h"

#include "formats/block32.h"
#include "formats/fp4.h"
#include "formats/magnitude.h"

namespace nibble {
namespace {

constexpr uint8_t kNaN = 255;

}  // namespace

void quantize_row_MXFP4(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockMXFP4*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    block->e = mxfp4_exponent(largest_magnitude(x + i, kBlock32));
    const float d = mxfp4_half_scale(block->e);
    uint8_t codes[kBlock32];
    for (int j = 0; j < kBlock32; ++j) codes[j] = nearest_fp4(x[i + j], d);
    pack_nibbles(codes, block->qs);
  }
}

void dequantize_row_MXFP4(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockMXFP4*>(blocks);
  for (int64_t i = 0; i < n; i += kBlock32, ++block) {
    const float d = mxfp4_half_scale(block->e);
    uint8_t codes[kBlock32];
    unpack_nibbles(block->qs, codes);
    for (int j = 0; j < kBlock32; ++j) x[i + j] = static_cast<float>(kFp4Values[codes[j]]) * d;
  }
}

int64_t count_invalid_MXFP4(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockMXFP4*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kBlock32, ++block) count += block->e == kNaN;
  return count;
}

}  // namespace nibble
