#include "formats/iq2_xs.h"

#include "formats/codebook_types.h"
#include "formats/coded_rows.h"

namespace nibble {

void quantize_weighted_IQ2_XS(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_row<SearchIQ2_XS>(x, importance, blocks, n);
}

void dequantize_row_IQ2_XS(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ2_XS& block, int8_t* codes, float* scales) {
    unpack_iq2_xs(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<SearchIQ2_XS::kGroup, BlockIQ2_XS>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ2_XS(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ2_XS>(blocks, n, [](const BlockIQ2_XS& block) { return block.d; });
}

}  // namespace nibble
