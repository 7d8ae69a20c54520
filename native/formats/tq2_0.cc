#include "formats/tq2_0.h"

#include "formats/block32.h"
#include "formats/magnitude.h"
#include "formats/ternary.h"

namespace nibble {
namespace {

// What a product that no integer holds becomes: on x86 the least long, whose low bits are zeros.
constexpr uint8_t kNone = 1;

}  // namespace

void quantize_row_TQ2_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockTQ2_0*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    const float d = largest_magnitude(x + i, kSuperBlock);
    uint8_t codes[kSuperBlock];
    ternary_codes(x + i, kSuperBlock, d, kNone, codes);
    block->d = f32_to_f16(d);
    for (int j = 0; j < kSuperBlock / 4; ++j) {
      const uint8_t* q = codes + 128 * (j / 32) + j % 32;
      block->qs[j] = static_cast<uint8_t>(q[0] | q[32] << 2 | q[64] << 4 | q[96] << 6);
    }
  }
}

void dequantize_row_TQ2_0(const void* blocks, float* x, int64_t n) {
  const auto* block = static_cast<const BlockTQ2_0*>(blocks);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    const float d = f16_to_f32(block->d);
    for (int j = 0; j < kSuperBlock; ++j) {
      const int code = block->qs[32 * (j / 128) + j % 32] >> (2 * (j / 32 % 4)) & 3;
      x[i + j] = static_cast<float>(code - 1) * d;
    }
  }
}

int64_t count_invalid_TQ2_0(const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockTQ2_0*>(blocks);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) count += invalid_f16(block->d);
  return count;
}

}  // namespace nibble
