#include "formats/q2_0.h"

#include "formats/block32.h"
#include "formats/magnitude.h"
#include "formats/ternary.h"

namespace nibble {
namespace {

constexpr int kValues = 64;
// What a product that no integer holds becomes: x86 converts it to the least int.
constexpr uint8_t kNone = 0;

}  // namespace

// d = amax, so that the fourth code, 2 d, is never used.
void quantize_row_Q2_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ2_0*>(blocks);
  for (int64_t i = 0; i < n; i += kValues, ++block) {
    const float d = largest_magnitude(x + i, kValues);
    uint8_t codes[kValues];
    ternary_codes(x + i, kValues, d, kNone, codes);
    block->d = f32_to_f16(d);
    for (int k = 0; k < kValues / 4; ++k) {
      const uint8_t* four = codes + 4 * k;
      block->qs[k] = static_cast<uint8_t>(four[0] | four[1] << 2 | four[2] << 4 | four[3] << 6);
    }
  }
}

void dequantize_row_Q2_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockQ2_0*>(blocks);
  for (int64_t i = 0; i < n; i += kValues, ++block) {
    const float d = f16_to_f32(block->d);
    uint8_t codes[kValues];
    unpack_q2_0(*block, codes);
    for (int j = 0; j < kValues; ++j) x[i + j] = static_cast<float>(codes[j] - 1) * d;
  }
}

int64_t count_invalid_Q2_0(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ2_0*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kValues, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
