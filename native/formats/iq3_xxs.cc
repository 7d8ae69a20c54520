#include "formats/iq3_xxs.h"

#include "formats/codebook_types.h"
#include "formats/coded_rows.h"

namespace nibble {

void quantize_row_IQ3_XXS(const float* x, void* blocks, int64_t n) {
  quantize_weighted_IQ3_XXS(x, nullptr, blocks, n);
}

void quantize_weighted_IQ3_XXS(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_row<SearchIQ3_XXS>(x, importance, blocks, n);
}

void dequantize_row_IQ3_XXS(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ3_XXS& block, int8_t* codes, float* scales) {
    unpack_iq3_xxs(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<SearchIQ3_XXS::kGroup, BlockIQ3_XXS>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ3_XXS(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ3_XXS>(blocks, n,
                                       [](const BlockIQ3_XXS& block) { return block.d; });
}

}  // namespace nibble
