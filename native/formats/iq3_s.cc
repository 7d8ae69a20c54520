#include "formats/iq3_s.h"

#include "formats/codebook_types.h"
#include "formats/coded_rows.h"

namespace nibble {

void quantize_row_IQ3_S(const float* x, void* blocks, int64_t n) {
  quantize_weighted_IQ3_S(x, nullptr, blocks, n);
}

void quantize_weighted_IQ3_S(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_row<SearchIQ3_S>(x, importance, blocks, n);
}

void dequantize_row_IQ3_S(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ3_S& block, int8_t* codes, float* scales) {
    unpack_iq3_s(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<SearchIQ3_S::kGroup, BlockIQ3_S>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ3_S(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ3_S>(blocks, n, [](const BlockIQ3_S& block) { return block.d; });
}

}  // namespace nibble
