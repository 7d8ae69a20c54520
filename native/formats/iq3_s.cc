#include "formats/iq3_s.h"

#include "formats/codebook_search.h"
#include "formats/coded_rows.h"

namespace nibble {
namespace {

constexpr int kGroup = 32;

struct Search {
  static constexpr int kDims = 4;
  static constexpr int kGroup = nibble::kGroup;
  static constexpr float kEpsilon = 1.4e-45f;  // groups of smaller values are zeros
  static constexpr bool kEvenSigns = false;
  static constexpr float kVariances = 2.0f;
  static constexpr bool kPlainVariance = false;
  static constexpr int kReach = 9;
  static constexpr float kStep = 0.2f;
  static constexpr Again kAgain = Again::kAllIfOffLattice;

  static bool start(const Magnitudes<kGroup>& group, float* top, float* scale) {
    return start_at_max<kDims>(group, top, scale);
  }
};

// Upstream moves on in points and signs only past groups that are not all zeros, so that after a
// group of zeros those of the next ones stand a place too early (and their bit 8 and scales where
// they belong). Files have to be the same.
void pack(const CodebookBlock<Search>& found, BlockIQ3_S* block) {
  block->d = f32_to_f16(found.d * 1.033f);
  uint8_t* qs = block->qs;
  uint8_t* signs = block->signs;
  for (int g = 0; g < kSuperBlock / kGroup; ++g) {
    block->scales[g / 2] =
        static_cast<uint8_t>(block->scales[g / 2] | found.scales[g] << 4 * (g % 2));
    if (found.is_zero[g]) continue;
    for (int p = 0; p < 8; ++p) {
      const int point = found.points[8 * g + p];
      *qs++ = static_cast<uint8_t>(point);
      block->qh[g] = static_cast<uint8_t>(block->qh[g] | point >> 8 << p);
    }
    for (int k = 0; k < 4; ++k) *signs++ = found.signs[4 * g + k];
  }
}

}  // namespace

void quantize_row_IQ3_S(const float* x, void* blocks, int64_t n) {
  quantize_weighted_IQ3_S(x, nullptr, blocks, n);
}

void quantize_weighted_IQ3_S(const float* x, const float* importance, void* blocks, int64_t n) {
  quantize_codebook_row<Search, BlockIQ3_S>(iq3_s_codebook(), x, importance, blocks, n, pack);
}

void dequantize_row_IQ3_S(const void* blocks, float* x, int64_t n) {
  const auto unpack = [](const BlockIQ3_S& block, int8_t* codes, float* scales) {
    unpack_iq3_s(block, f16_to_f32(block.d), codes, scales);
  };
  dequantize_coded_row<kGroup, BlockIQ3_S>(blocks, x, n, unpack);
}

int64_t count_invalid_IQ3_S(const void* blocks, int64_t n) {
  return count_invalid_d<BlockIQ3_S>(blocks, n, [](const BlockIQ3_S& block) { return block.d; });
}

}  // namespace nibble
