#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/codebook_search.h"
#include "formats/iq2_s.h"
#include "formats/iq2_xs.h"
#include "formats/iq2_xxs.h"
#include "formats/iq3_s.h"
#include "formats/iq3_xxs.h"

// The types with codebooks: what differs in their searches, and how what is found goes into a
// block, which starts as zeros.
namespace nibble {

struct SearchIQ2_XXS {
  using Block = BlockIQ2_XXS;
  static constexpr const Codebook<8>& (*kBook)() = iq2_xxs_codebook;
  static constexpr int kDims = 8;
  static constexpr int kGroup = 32;
  static constexpr float kEpsilon = kGroupEpsilon;  // groups of smaller values are zeros
  static constexpr bool kEvenSigns = true;
  static constexpr float kVariances = 1.0f;
  static constexpr bool kPlainVariance = false;
  static constexpr bool kFitsFirst = true;  // trials lie around the best scale without a codebook
  static constexpr int kReach = 6;          // trials on either side
  static constexpr float kStep = 0.1f;
  static constexpr Again kAgain = Again::kAll;
};

struct SearchIQ2_XS {
  using Block = BlockIQ2_XS;
  static constexpr const Codebook<8>& (*kBook)() = iq2_xs_codebook;
  static constexpr int kDims = 8;
  static constexpr int kGroup = 16;
  static constexpr float kEpsilon = kGroupEpsilon;
  static constexpr bool kEvenSigns = true;
  static constexpr float kVariances = 1.0f;
  static constexpr bool kPlainVariance = false;
  static constexpr bool kFitsFirst = false;
  static constexpr int kReach = 9;
  static constexpr float kStep = 0.1f;
  static constexpr Again kAgain = Again::kOffLattice;
};

struct SearchIQ2_S {
  using Block = BlockIQ2_S;
  static constexpr const Codebook<8>& (*kBook)() = iq2_s_codebook;
  static constexpr int kDims = 8;
  static constexpr int kGroup = 16;
  static constexpr float kEpsilon = 1e-8f;
  static constexpr bool kEvenSigns = false;
  static constexpr float kVariances = 2.0f;
  static constexpr bool kPlainVariance = true;
  static constexpr bool kFitsFirst = false;
  static constexpr int kReach = 9;
  static constexpr float kStep = 0.1f;
  static constexpr Again kAgain = Again::kOffLattice;
};

struct SearchIQ3_XXS {
  using Block = BlockIQ3_XXS;
  static constexpr const Codebook<4>& (*kBook)() = iq3_xxs_codebook;
  static constexpr int kDims = 4;
  static constexpr int kGroup = 32;
  static constexpr float kEpsilon = 1e-8f;
  static constexpr bool kEvenSigns = true;
  static constexpr float kVariances = 2.0f;
  static constexpr bool kPlainVariance = false;
  static constexpr bool kFitsFirst = false;
  static constexpr int kReach = 15;
  static constexpr float kStep = 0.2f;
  static constexpr Again kAgain = Again::kOffLattice;
};

struct SearchIQ3_S {
  using Block = BlockIQ3_S;
  static constexpr const Codebook<4>& (*kBook)() = iq3_s_codebook;
  static constexpr int kDims = 4;
  static constexpr int kGroup = 32;
  static constexpr float kEpsilon = 1.4e-45f;
  static constexpr bool kEvenSigns = false;
  static constexpr float kVariances = 2.0f;
  static constexpr bool kPlainVariance = false;
  static constexpr bool kFitsFirst = false;
  static constexpr int kReach = 9;
  static constexpr float kStep = 0.2f;
  static constexpr Again kAgain = Again::kAllIfOffLattice;
};

// Two scales of 4 bits in a byte.
template <int kGroups>
static inline void pack_scales(const uint8_t (&scales)[kGroups], uint8_t* bytes) {
  for (int g = 0; g < kGroups; g += 2)
    bytes[g / 2] = static_cast<uint8_t>(scales[g] | scales[g + 1] << 4);
}

static inline void pack_found(const CodebookBlock<SearchIQ2_XXS>& found, BlockIQ2_XXS* block) {
  block->d = f32_to_f16(found.d);
  for (int g = 0; g < found.kGroups; ++g) {
    BlockIQ2_XXS::Group* group = &block->groups[g];
    for (int k = 0; k < 4; ++k) group->points[k] = static_cast<uint8_t>(found.points[4 * g + k]);
    store_word(signs_and_scale(found.signs + 4 * g, found.scales[g]), group->signs);
  }
}

static inline void pack_found(const CodebookBlock<SearchIQ2_XS>& found, BlockIQ2_XS* block) {
  block->d = f32_to_f16(found.d);
  for (int p = 0; p < kSuperBlock / 8; ++p) {
    block->qs[p] = static_cast<uint16_t>(found.points[p] | (found.signs[p] & 127) << 9);
  }
  pack_scales(found.scales, block->scales);
}

static inline void pack_found(const CodebookBlock<SearchIQ2_S>& found, BlockIQ2_S* block) {
  block->d = f32_to_f16(found.d * 0.9875f);
  for (int p = 0; p < kSuperBlock / 8; ++p) {
    block->qs[p] = static_cast<uint8_t>(found.points[p]);
    block->qh[p / 4] = static_cast<uint8_t>(block->qh[p / 4] | found.points[p] >> 8 << 2 * (p % 4));
    block->signs[p] = found.signs[p];
  }
  pack_scales(found.scales, block->scales);
}

static inline void pack_found(const CodebookBlock<SearchIQ3_XXS>& found, BlockIQ3_XXS* block) {
  block->d = f32_to_f16(found.d * 1.0125f);
  for (int g = 0; g < found.kGroups; ++g) {
    for (int p = 8 * g; p < 8 * (g + 1); ++p) {
      block->points[p] = static_cast<uint8_t>(found.points[p]);
    }
    store_word(signs_and_scale(found.signs + 4 * g, found.scales[g]), block->signs + 4 * g);
  }
}

// Upstream moves on in points and signs only past groups that are not all zeros, so that after a
// group of zeros those of the next ones stand a place too early (and their bit 8 and scales where
// they belong). Files have to be the same.
static inline void pack_found(const CodebookBlock<SearchIQ3_S>& found, BlockIQ3_S* block) {
  block->d = f32_to_f16(found.d * 1.033f);
  uint8_t* qs = block->qs;
  uint8_t* signs = block->signs;
  pack_scales(found.scales, block->scales);
  for (int g = 0; g < found.kGroups; ++g) {
    if (found.is_zero[g]) continue;
    for (int p = 0; p < 8; ++p) {
      const int point = found.points[8 * g + p];
      *qs++ = static_cast<uint8_t>(point);
      block->qh[g] = static_cast<uint8_t>(block->qh[g] | point >> 8 << p);
    }
    for (int k = 0; k < 4; ++k) *signs++ = found.signs[4 * g + k];
  }
}

}  // namespace nibble
