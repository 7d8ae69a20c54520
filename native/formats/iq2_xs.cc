#include "formats/iq2_xs.h"

#include "formats/codebook_search.h"
#include "formats/coded_rows.h"

namespace nibble {
namespace {

constexpr int kGroup = 16;

struct Search {
  static constexpr int kDims = 8;
  static constexpr int kGroup = nibble::kGroup;
  static constexpr float kEpsilon = kGroupEpsilon;  // groups of smaller values are zeros
  static constexpr bool kEvenSigns = true;
  static constexpr float kVariances = 1.0f;
  static constexpr bool kPlainVariance = false;
  static constexpr int kReach = 9;
  static constexpr float kStep = 0.1f;
  static constexpr Again kAgain = Again::kOffLattice;

  static bool start(const Magnitudes<kGroup>& group, float* top, float* scale) {
    return start_at_max<kDims>(group, top, scale);
  }
};

void pack(const CodebookBlock<Search>& found, BlockIQ2_XS* block) {
  block->d = f32_to_f16(found.d);
  for (int p = 0; p < kSuperBlock / 8; ++p) {
    block->qs[p] = static_cast<uint16_t>(found.points[p] | (found.signs[p] & 127) << 9);
  }
  for (int g = 0; g < kSuperBlock / kGroup; ++g) {
    block->scales[g / 2] =
        static_cast<uint8_t>(block->scales[g / 2] | found.scales[g] << 4 * (g % 2));
  }
}

}  // namespace

void quantize_weighted_IQ2_XS(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_row<Search, BlockIQ2_XS>(iq2_xs_codebook(), x, importance, blocks, n, pack);
}

void dequantize_row_IQ2_XS(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ2_XS& block, int8_t* codes, float* scales) {
    unpack_iq2_xs(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<kGroup, BlockIQ2_XS>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ2_XS(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ2_XS>(blocks, n, [](const BlockIQ2_XS& block) { return block.d; });
}

}  // namespace nibble
