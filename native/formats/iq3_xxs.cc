#include "formats/iq3_xxs.h"

#include "formats/codebook_search.h"
#include "formats/coded_rows.h"

namespace nibble {
namespace {

constexpr int kGroup = 32;

struct Search {
  static constexpr int kDims = 4;
  static constexpr int kGroup = nibble::kGroup;
  static constexpr float kEpsilon = 1e-8f;  // groups of smaller values are zeros
  static constexpr bool kEvenSigns = true;
  static constexpr float kVariances = 2.0f;
  static constexpr bool kPlainVariance = false;
  static constexpr int kReach = 15;
  static constexpr float kStep = 0.2f;
  static constexpr Again kAgain = Again::kOffLattice;

  static bool start(const Magnitudes<kGroup>& group, float* top, float* scale) {
    return start_at_max<kDims>(group, top, scale);
  }
};

void pack(const CodebookBlock<Search>& found, BlockIQ3_XXS* block) {
  block->d = f32_to_f16(found.d * 1.0125f);
  for (int g = 0; g < kSuperBlock / kGroup; ++g) {
    for (int p = 8 * g; p < 8 * (g + 1); ++p) {
      block->points[p] = static_cast<uint8_t>(found.points[p]);
    }
    store_word(signs_and_scale(found.signs + 4 * g, found.scales[g]), block->signs + 4 * g);
  }
}

}  // namespace

void quantize_row_IQ3_XXS(const float* x, void* blocks, int64_t n) {
  quantize_weighted_IQ3_XXS(x, nullptr, blocks, n);
}

void quantize_weighted_IQ3_XXS(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_row<Search, BlockIQ3_XXS>(iq3_xxs_codebook(), x, importance, blocks, n, pack);
}

void dequantize_row_IQ3_XXS(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ3_XXS& block, int8_t* codes, float* scales) {
    unpack_iq3_xxs(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<kGroup, BlockIQ3_XXS>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ3_XXS(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ3_XXS>(blocks, n,
                                       [](const BlockIQ3_XXS& block) { return block.d; });
}

}  // namespace nibble
