#pragma once

#include <cmath>
#include <cstdint>

#include "base/half.h"
#include "formats/block32.h"
#include "formats/k_packing.h"
#include "formats/q1_0.h"
#include "formats/q2_0.h"
#include "formats/ternary.h"
#include "formats/tq1_0.h"
#include "formats/tq2_0.h"
#include "kernels/quantize_row/magnitude_lanes.h"

// Types of two and three levels: Q1_0, TQ1_0, TQ2_0 and Q2_0.
namespace nibble {
namespace {

constexpr float kUnderHalf = 0.49999997f;      // the largest float under it
constexpr float kUnderZero = -1.4012985e-45f;  // the largest float under it

// Codes of kCount values (ternary_codes); returns d.
template <typename V, int kCount>
float store_ternary(const float* x, uint8_t none, uint8_t* codes) {
  using F32 = typename V::F32;
  const float d = magnitude_of<V, kCount>(x);
  const F32 inverse = V::set1(d != 0.0f ? 1.0f / d : 0.0f);
  for (int j = 0; j < kCount; j += V::kWidth) {
    const F32 q = V::mul(V::load(x + j), inverse);
    F32 code = V::blend(V::set1(1.0f), V::set1(2.0f), V::gt(q, V::set1(kUnderHalf)));
    code = V::blend(code, V::set1(0.0f), V::gt(V::set1(-kUnderHalf), q));
    const typename V::Mask integer = V::gt(V::set1(2.0f), V::abs(q));
    V::store_codes(codes + j, V::blend(V::set1(static_cast<float>(none)), code, integer), 2);
  }
  return d;
}

template <typename V>
void quantize_tq1_0(const float* x, void* row, int64_t n) {
  auto* block = static_cast<BlockTQ1_0*>(row);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    block->d = f32_to_f16(store_ternary<V, kSuperBlock>(x + i, kNoProductTQ, codes));
    pack_tq1_0(codes, block);
  }
}

template <typename V>
void quantize_tq2_0(const float* x, void* row, int64_t n) {
  auto* block = static_cast<BlockTQ2_0*>(row);
  for (int64_t i = 0; i < n; i += kSuperBlock, ++block) {
    uint8_t codes[kSuperBlock];
    block->d = f32_to_f16(store_ternary<V, kSuperBlock>(x + i, kNoProductTQ, codes));
    pack_pairs_of_bits(codes, block->qs);
  }
}

template <typename V>
void quantize_q2_0(const float* x, void* row, int64_t n) {
  auto* block = static_cast<BlockQ2_0*>(row);
  for (int64_t i = 0; i < n; i += kValuesQ2_0, ++block) {
    uint8_t codes[kValuesQ2_0];
    block->d = f32_to_f16(store_ternary<V, kValuesQ2_0>(x + i, kNoProductQ2_0, codes));
    pack_q2_0(codes, block);
  }
}

// Sums of magnitudes of kBlocks blocks: each in order, side by side.
template <int kBlocks>
void sum_magnitudes(const float* x, float* sums) {
  float own[kBlocks] = {};
  for (int j = 0; j < kValuesQ1_0; ++j) {
    for (int b = 0; b < kBlocks; ++b) own[b] += std::fabs(x[b * kValuesQ1_0 + j]);
  }
  for (int b = 0; b < kBlocks; ++b) sums[b] = own[b];
}

template <int kBlocks, typename V>
void quantize_q1_0_blocks(const float* x, BlockQ1_0* blocks) {
  float sums[kBlocks];
  sum_magnitudes<kBlocks>(x, sums);
  for (int b = 0; b < kBlocks; ++b) {
    const float* own = x + kValuesQ1_0 * b;
    uint8_t signs[kValuesQ1_0];
    for (int j = 0; j < kValuesQ1_0; j += V::kWidth) {
      const typename V::Mask positive = V::gt(V::load(own + j), V::set1(kUnderZero));
      V::store_codes(signs + j, V::blend(V::set1(0.0f), V::set1(1.0f), positive), 1);
    }
    blocks[b].d = f32_to_f16(sums[b] / static_cast<float>(kValuesQ1_0));
    for (int k = 0; k < kValuesQ1_0 / 8; ++k)
      blocks[b].qs[k] = lowest_bits(load_codes(signs + 8 * k));
  }
}

// A sum in order waits for every addition; eight of them wait together.
template <typename V>
void quantize_q1_0(const float* x, void* row, int64_t n) {
  constexpr int kAtOnce = 8;
  auto* block = static_cast<BlockQ1_0*>(row);
  int64_t i = 0;
  for (; i + kAtOnce * kValuesQ1_0 <= n; i += kAtOnce * kValuesQ1_0, block += kAtOnce)
    quantize_q1_0_blocks<kAtOnce, V>(x + i, block);
  for (; i < n; i += kValuesQ1_0, ++block) quantize_q1_0_blocks<1, V>(x + i, block);
}

}  // namespace
}  // namespace nibble
