#include <cstdint>

#include "formats/codebook.h"
#include "formats/codebook_values.h"

namespace nibble {
namespace {

constexpr uint16_t kIq1Points[2048] = {
#include "formats/iq1_points.inc"
};
constexpr uint16_t kIq2XxsPoints[256] = {
#include "formats/iq2_xxs_points.inc"
};
constexpr uint16_t kIq2XsPoints[512] = {
#include "formats/iq2_xs_points.inc"
};
constexpr uint16_t kIq2SPoints[1024] = {
#include "formats/iq2_s_points.inc"
};
constexpr uint16_t kIq3XxsPoints[256] = {
#include "formats/iq3_xxs_points.inc"
};
constexpr uint16_t kIq3SPoints[512] = {
#include "formats/iq3_s_points.inc"
};

template <int kDims, int kCount, int kLevels>
const CodebookValues<kDims, kCount> values_of(const uint16_t (&points)[kCount],
                                              const int8_t (&levels)[kLevels]) {
  constexpr int kBits = Codebook<kDims>::kBits;
  CodebookValues<kDims, kCount> values = {};
  for (int p = 0; p < kCount; ++p) {
    for (int i = 0; i < kDims; ++i) {
      values.at[p][i] = levels[points[p] >> kBits * i & ((1 << kBits) - 1)];
    }
  }
  return values;
}

constexpr int8_t kIq1Levels[3] = {-8, 0, 8};
constexpr int8_t kIq2Levels[3] = {8, 25, 43};
constexpr int8_t kIq3XxsLevels[8] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr int8_t kIq3SLevels[8] = {1, 3, 5, 7, 9, 11, 13, 15};

template <int kDims, int kCount>
Codebook<kDims> codebook_of(const uint16_t (&points)[kCount], int rings) {
  return Codebook<kDims>(points, kCount, rings);
}

}  // namespace

const CodebookValues<8, 2048> kIq1Values = values_of<8>(kIq1Points, kIq1Levels);
const CodebookValues<8, 256> kIq2XxsValues = values_of<8>(kIq2XxsPoints, kIq2Levels);
const CodebookValues<8, 512> kIq2XsValues = values_of<8>(kIq2XsPoints, kIq2Levels);
const CodebookValues<8, 1024> kIq2SValues = values_of<8>(kIq2SPoints, kIq2Levels);
const CodebookValues<4, 256> kIq3XxsValues = values_of<4>(kIq3XxsPoints, kIq3XxsLevels);
const CodebookValues<4, 512> kIq3SValues = values_of<4>(kIq3SPoints, kIq3SLevels);

const Codebook<8>& iq1_codebook() {
  static const Codebook<8> instance = codebook_of<8>(kIq1Points, 3);
  return instance;
}

const Codebook<8>& iq2_xxs_codebook() {
  static const Codebook<8> instance = codebook_of<8>(kIq2XxsPoints, 2);
  return instance;
}

const Codebook<8>& iq2_xs_codebook() {
  static const Codebook<8> instance = codebook_of<8>(kIq2XsPoints, 2);
  return instance;
}

const Codebook<8>& iq2_s_codebook() {
  static const Codebook<8> instance = codebook_of<8>(kIq2SPoints, 1);
  return instance;
}

const Codebook<4>& iq3_xxs_codebook() {
  static const Codebook<4> instance = codebook_of<4>(kIq3XxsPoints, 2);
  return instance;
}

const Codebook<4>& iq3_s_codebook() {
  static const Codebook<4> instance = codebook_of<4>(kIq3SPoints, 3);
  return instance;
}

}  // namespace nibble
