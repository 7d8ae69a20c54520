#include "formats/iq2_s.h"

#include "formats/codebook_search.h"
#include "formats/coded_rows.h"

namespace nibble {
namespace {

constexpr int kGroup = 16;

struct Search {
  static constexpr int kDims = 8;
  static constexpr int kGroup = nibble::kGroup;
  static constexpr float kEpsilon = 1e-8f;  // groups of smaller values are zeros
  static constexpr bool kEvenSigns = false;
  static constexpr float kVariances = 2.0f;
  static constexpr bool kPlainVariance = true;
  static constexpr int kReach = 9;
  static constexpr float kStep = 0.1f;
  static constexpr Again kAgain = Again::kOffLattice;

  static bool start(const Magnitudes<kGroup>& group, float* top, float* scale) {
    return start_at_max<kDims>(group, top, scale);
  }
};

void pack(const CodebookBlock<Search>& found, BlockIQ2_S* block) {
  block->d = f32_to_f16(found.d * 0.9875f);
  for (int p = 0; p < kSuperBlock / 8; ++p) {
    block->qs[p] = static_cast<uint8_t>(found.points[p]);
    block->qh[p / 4] = static_cast<uint8_t>(block->qh[p / 4] | found.points[p] >> 8 << 2 * (p % 4));
    block->signs[p] = found.signs[p];
  }
  for (int g = 0; g < kSuperBlock / kGroup; ++g) {
    block->scales[g / 2] =
        static_cast<uint8_t>(block->scales[g / 2] | found.scales[g] << 4 * (g % 2));
  }
}

}  // namespace

void quantize_row_IQ2_S(const float* x, void* blocks, int64_t n) {
  quantize_weighted_IQ2_S(x, nullptr, blocks, n);
}

void quantize_weighted_IQ2_S(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_row<Search, BlockIQ2_S>(iq2_s_codebook(), x, importance, blocks, n, pack);
}

void dequantize_row_IQ2_S(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ2_S& block, int8_t* codes, float* scales) {
    unpack_iq2_s(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<kGroup, BlockIQ2_S>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ2_S(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ2_S>(blocks, n, [](const BlockIQ2_S& block) { return block.d; });
}

}  // namespace nibble
