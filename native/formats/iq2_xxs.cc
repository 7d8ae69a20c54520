#include "formats/iq2_xxs.h"

#include "formats/codebook_search.h"
#include "formats/coded_rows.h"

namespace nibble {
namespace {

constexpr int kGroup = 32;

struct Search {
  static constexpr int kDims = 8;
  static constexpr int kGroup = nibble::kGroup;
  static constexpr float kEpsilon = kGroupEpsilon;  // groups of smaller values are zeros
  static constexpr bool kEvenSigns = true;
  static constexpr float kVariances = 1.0f;
  static constexpr bool kPlainVariance = false;
  static constexpr int kReach = 6;
  static constexpr float kStep = 0.1f;
  static constexpr Again kAgain = Again::kAll;

  // Trials lie around the best scale without a codebook.
  static bool start(const Magnitudes<kGroup>& group, float* top, float* scale) {
    uint8_t codes[kGroup];
    *scale = search_positive<kGroup>(group.x, group.weights, 4, codes);
    *top = *scale * 3.0f;
    return !(*top <= 0.0f);
  }
};

void pack(const CodebookBlock<Search>& found, BlockIQ2_XXS* block) {
  block->d = f32_to_f16(found.d);
  for (int g = 0; g < kSuperBlock / kGroup; ++g) {
    BlockIQ2_XXS::Group* group = &block->groups[g];
    for (int k = 0; k < 4; ++k) group->points[k] = static_cast<uint8_t>(found.points[4 * g + k]);
    store_word(signs_and_scale(found.signs + 4 * g, found.scales[g]), group->signs);
  }
}

}  // namespace

void quantize_weighted_IQ2_XXS(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_row<Search, BlockIQ2_XXS>(iq2_xxs_codebook(), x, importance, blocks, n, pack);
}

void dequantize_row_IQ2_XXS(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ2_XXS& block, int8_t* codes, float* scales) {
    unpack_iq2_xxs(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<kGroup, BlockIQ2_XXS>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ2_XXS(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ2_XXS>(blocks, n,
                                       [](const BlockIQ2_XXS& block) { return block.d; });
}

}  // namespace nibble
