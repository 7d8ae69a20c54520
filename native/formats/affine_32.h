#pragma once

#include <cmath>
#include <cstdint>

#include "formats/affine_groups.h"
#include "formats/k_packing.h"

// What Q4_K and Q5_K share: all but the number of bits of a code.
namespace nibble {

constexpr int kMostScale = 63;

static inline void cap_scales(uint8_t codes[8]) {
  for (int g = 0; g < 8; ++g) codes[g] = codes[g] < kMostScale ? codes[g] : kMostScale;
}

// Scales and mins (subtracted) of the groups, as they are stored.
static inline void store_affine_32(const float scales[8], const float mins[8], AffineScales* head) {
  uint8_t scale_codes[8];
  uint8_t min_codes[8];
  head->d = f32_to_f16(codes_of_scales<8>(scales, kMostScale, scale_codes));
  head->dmin = f32_to_f16(codes_of_scales<8>(mins, kMostScale, min_codes));
  cap_scales(scale_codes);
  cap_scales(min_codes);
  pack_affine_scales(scale_codes, min_codes, head->packed);
}

static inline void round_to_stored_32(const float* x, const AffineScales& head, int most,
                                      uint8_t* codes) {
  uint8_t stored_scales[8];
  uint8_t stored_mins[8];
  unpack_affine_scales(head.packed, stored_scales, stored_mins);
  round_to_stored<32>(x, head.d, head.dmin, stored_scales, stored_mins, most, codes);
}

// A value's weight is its magnitude plus the root mean square of its group.
static inline void quantize_affine_32(const float* x, int most, const AffineTrials& trials,
                                      AffineScales* head, uint8_t codes[kSuperBlock]) {
  AffineGroups<32> groups;
  const auto weigh = [x](int at, float* weights) {
    const float rms = std::sqrt(sum_of_squares(x + at, 32) / 32.0f);
    for (int i = 0; i < 32; ++i) weights[i] = rms + std::fabs(x[at + i]);
  };
  search_affine_groups(x, most, trials, weigh, &groups);
  store_affine_32(groups.scales, groups.mins, head);
  std::memcpy(codes, groups.codes, kSuperBlock);
  round_to_stored_32(x, *head, most, codes);
}

constexpr float kImportantShare32 = 2.0f;  // see search_important_groups

// store_affine_32 under importance; `weights` are the groups'. `caps`: codes of scales that wrapped
// (search_positive) become the largest one; else their upper bits reach the scale that is packed
// with them.
static inline void store_important_32(const float scales[8], const float mins[8],
                                      const float weights[8], bool caps, AffineScales* head) {
  uint8_t scale_codes[8];
  uint8_t min_codes[8];
  head->d = f32_to_f16(search_positive<8>(scales, weights, kMostScale, scale_codes));
  head->dmin = f32_to_f16(search_positive<8>(mins, weights, kMostScale, min_codes));
  if (caps) {
    cap_scales(scale_codes);
    cap_scales(min_codes);
  }
  pack_affine_scales(scale_codes, min_codes, head->packed);
}

static inline void quantize_important_32(const float* x, const float* importance, int most,
                                         bool caps, AffineScales* head,
                                         uint8_t codes[kSuperBlock]) {
  AffineGroups<32> groups;
  search_important_groups(x, importance, kImportantShare32, most, &groups);
  store_important_32(groups.scales, groups.mins, groups.weights, caps, head);
  std::memcpy(codes, groups.codes, kSuperBlock);
  round_to_stored_32(x, *head, most, codes);
}

static inline void dequantize_affine_32(const AffineScales& head, const uint8_t codes[kSuperBlock],
                                        float* x) {
  uint8_t scales[8];
  uint8_t mins[8];
  unpack_affine_scales(head.packed, scales, mins);
  dequantize_groups<32>(head.d, head.dmin, scales, mins, codes, x);
}

}  // namespace nibble
