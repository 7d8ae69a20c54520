#include "formats/formats.h"

#include "formats/bf16.h"
#include "formats/f16.h"
#include "formats/f32.h"
#include "formats/iq1_m.h"
#include "formats/iq1_s.h"
#include "formats/iq2_s.h"
#include "formats/iq2_xs.h"
#include "formats/iq2_xxs.h"
#include "formats/iq3_s.h"
#include "formats/iq3_xxs.h"
#include "formats/iq4_nl.h"
#include "formats/iq4_xs.h"
#include "formats/mxfp4.h"
#include "formats/nvfp4.h"
#include "formats/q1_0.h"
#include "formats/q2_0.h"
#include "formats/q2_k.h"
#include "formats/q3_k.h"
#include "formats/q4_0.h"
#include "formats/q4_1.h"
#include "formats/q4_k.h"
#include "formats/q5_0.h"
#include "formats/q5_1.h"
#include "formats/q5_k.h"
#include "formats/q6_k.h"
#include "formats/q8_0.h"
#include "formats/tq1_0.h"
#include "formats/tq2_0.h"

namespace nibble {
namespace {

#define NIBBLE_CODEC_kCodec(name) \
  quantize_row_##name, nullptr, dequantize_row_##name, count_invalid_##name
#define NIBBLE_CODEC_kWeighted(name) \
  quantize_row_##name, quantize_weighted_##name, dequantize_row_##name, count_invalid_##name
#define NIBBLE_CODEC_kNeedsWeights(name) \
  nullptr, quantize_weighted_##name, dequantize_row_##name, count_invalid_##name
#define NIBBLE_CODEC_kOpaque(name) nullptr, nullptr, nullptr, nullptr
#define NIBBLE_FORMAT(name, id, values, bytes, codec) \
  {#name, id, values, bytes, NIBBLE_CODEC_##codec(name)},
constexpr Format kFormats[] = {
#include "formats/formats.inc"
};
#undef NIBBLE_FORMAT

constexpr size_t kFormatCount = sizeof(kFormats) / sizeof(kFormats[0]);

}  // namespace

const Format* formats(size_t* count) {
  *count = kFormatCount;
  return kFormats;
}

const Format* find_format(uint32_t id) {
  for (const Format& format : kFormats) {
    if (format.id == id) return &format;
  }
  return nullptr;
}

}  // namespace nibble
