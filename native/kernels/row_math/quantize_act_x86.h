#pragma once

#include <cstring>
#include <limits>

#include "kernels/row_math/row_math.h"
#include "kernels/simd/rows_x86_avx2.h"

// quantize_act in registers of 256 bits, eight blocks at a time: compilers make several times as
// many instructions of the plain loops. Anonymous: see functions.h.
namespace nibble {
namespace {

constexpr int kBlocksAtOnce = 8;

inline __m256 values_at(const float* x, int i) { return _mm256_loadu_ps(x + 8 * i); }

// Of each lane the largest magnitude's bits.
inline __m256i largest_in_lanes(const float* x) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i largest = _mm256_setzero_si256();
  for (int i = 0; i < kActBlock / 8; ++i) {
    const __m256i bits = _mm256_and_si256(_mm256_castps_si256(values_at(x, i)), magnitude);
    largest = _mm256_max_epi32(largest, bits);
  }
  return largest;
}

// Scales of eight blocks, and their inverses: as scales_of in quantize_act_loops.h.
inline void scales_of_eight(__m256i largest, float* scale, float* inverse) {
  const __m256i not_finite = _mm256_cmpgt_epi32(largest, _mm256_set1_epi32(0x7f7fffff));
  const __m256 nan = _mm256_set1_ps(std::numeric_limits<float>::quiet_NaN());
  const __m256 d =
      _mm256_blendv_ps(_mm256_div_ps(_mm256_castsi256_ps(largest), _mm256_set1_ps(127.0f)), nan,
                       _mm256_castsi256_ps(not_finite));
  const __m256 least = _mm256_set1_ps(1e-37f);
  const __m256 id = _mm256_div_ps(_mm256_set1_ps(1.0f), d);
  _mm256_storeu_ps(scale, _mm256_andnot_ps(_mm256_cmp_ps(d, least, _CMP_LE_OQ), d));
  _mm256_storeu_ps(inverse, _mm256_and_ps(_mm256_cmp_ps(d, least, _CMP_GT_OQ), id));
}

// The codes of a block; returns sums of four of them.
inline __m256i quantize_block(const float* x, float inverse, int8_t* codes) {
  const __m256 factor = _mm256_set1_ps(inverse);
  const auto whole = [&](int i) {
    return _mm256_cvtps_epi32(_mm256_mul_ps(values_at(x, i), factor));
  };
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(whole(0), whole(1)),
                                            _mm256_packs_epi32(whole(2), whole(3)));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_permutevar8x32_epi32(packed, order);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), bytes);
  return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
}

// Eight blocks, or as many as are left.
inline void quantize_blocks(const float* x, int64_t count, int8_t* codes, float* scale,
                            int32_t* code_sum, float* sum) {
  __m256i rows[kBlocksAtOnce];
  for (int64_t i = 0; i < kBlocksAtOnce; ++i)
    rows[i] = i < count ? largest_in_lanes(x + i * kActBlock) : _mm256_setzero_si256();
  RowsAvx2::transpose8(rows);
  for (int half = 4; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) rows[i] = _mm256_max_epi32(rows[i], rows[i + half]);
  }
  float scales[kBlocksAtOnce];
  float inverses[kBlocksAtOnce];
  scales_of_eight(rows[0], scales, inverses);
  for (int64_t i = 0; i < kBlocksAtOnce; ++i) {
    rows[i] = i < count ? quantize_block(x + i * kActBlock, inverses[i], codes + i * kActBlock)
                        : _mm256_setzero_si256();
  }
  int32_t totals[2 * kBlocksAtOnce];
  float sums[2 * kBlocksAtOnce];
  for (int i = 0; i < 2; ++i) {
    // Of four blocks: the sums of their first 16 codes, then those of the others; then in turn.
    const __m256i four = _mm256_hadd_epi32(_mm256_hadd_epi32(rows[4 * i], rows[4 * i + 1]),
                                           _mm256_hadd_epi32(rows[4 * i + 2], rows[4 * i + 3]));
    const __m256i total =
        _mm256_permutevar8x32_epi32(four, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    const __m256 twice =
        _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(scales + 4 * i)),
                                 _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(totals + 8 * i), total);
    _mm256_storeu_ps(sums + 8 * i, _mm256_mul_ps(twice, _mm256_cvtepi32_ps(total)));
  }
  const auto size = static_cast<size_t>(count) * sizeof(float);
  std::memcpy(scale, scales, size);
  std::memcpy(code_sum, totals, 2 * size);
  std::memcpy(sum, sums, 2 * size);
}

void quantize_act_x86(const float* x, int64_t n, int8_t* codes, float* scale, int32_t* code_sum,
                      float* sum) {
  for (int64_t left = n / kActBlock; left > 0; left -= kBlocksAtOnce) {
    // A constant count lets the compiler leave the checks out.
    if (left >= kBlocksAtOnce) {
      quantize_blocks(x, kBlocksAtOnce, codes, scale, code_sum, sum);
    } else {
      quantize_blocks(x, left, codes, scale, code_sum, sum);
    }
    x += kBlocksAtOnce * kActBlock;
    codes += kBlocksAtOnce * kActBlock;
    scale += kBlocksAtOnce;
    code_sum += 2 * kBlocksAtOnce;
    sum += 2 * kBlocksAtOnce;
  }
}

}  // namespace
}  // namespace nibble
