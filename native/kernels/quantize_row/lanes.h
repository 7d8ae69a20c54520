#pragma once

#include <cstdint>

#include "base/half.h"
#include "kernels/dispatch.h"
#include "kernels/quantize_row/affine_types.h"
#include "kernels/quantize_row/block32_lanes.h"
#include "kernels/quantize_row/codebook_lanes.h"
#include "kernels/quantize_row/fp4_lanes.h"
#include "kernels/quantize_row/iq1_lanes.h"
#include "kernels/quantize_row/iq4_lanes.h"
#include "kernels/quantize_row/q3_k_lanes.h"
#include "kernels/quantize_row/q6_k_lanes.h"
#include "kernels/quantize_row/ternary_lanes.h"
#include "kernels/quantize_row/weighted_32_lanes.h"

// The family as templates over an instruction set V (kernels/simd). Every step is the scalar
// reference's, on many values at once; what is a sum in the reference stays a sum in its order, so
// the bytes are the same.
namespace nibble {
namespace {

template <typename V>
void quantize_f16(const float* x, void* blocks, int64_t n) {
  auto* to = static_cast<uint16_t*>(blocks);
  int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) V::to_f16(to + i, V::load(x + i));
  for (; i < n; ++i) to[i] = f32_to_f16(x[i]);
}

template <typename V>
void quantize_bf16(const float* x, void* blocks, int64_t n) {
  auto* to = static_cast<uint16_t*>(blocks);
  int64_t i = 0;
  for (; i + V::kWidth <= n; i += V::kWidth) V::to_bf16(to + i, V::load(x + i));
  for (; i < n; ++i) to[i] = f32_to_bf16(x[i]);
}

// F32 is a copy: the reference does it.
template <typename V>
constexpr KernelRow<QuantizeRow> kRows[] = {
    {kIdF16, quantize_f16<V>},
    {kIdBF16, quantize_bf16<V>},
    {kIdQ4_0, quantize_symmetric_32<V, Q4_0Lanes>},
    {kIdQ4_1, quantize_affine_32<V, Q4_1Lanes>},
    {kIdQ5_0, quantize_symmetric_32<V, Q5_0Lanes>},
    {kIdQ5_1, quantize_affine_32<V, Q5_1Lanes>},
    {kIdQ8_0, quantize_q8_0<V>},
    {kIdQ2_K, quantize_affine_k<V, Q2KLanes>},
    {kIdQ3_K, quantize_q3_k<V>},
    {kIdQ4_K, quantize_affine_k<V, Q4KLanes>},
    {kIdQ5_K, quantize_affine_k<V, Q5KLanes>},
    {kIdQ6_K, quantize_q6_k<V>},
    {kIdIQ2_S, quantize_codebook<V, SearchIQ2_S>},
    {kIdIQ3_XXS, quantize_codebook<V, SearchIQ3_XXS>},
    {kIdIQ3_S, quantize_codebook<V, SearchIQ3_S>},
    {kIdIQ1_M, quantize_iq1<V, SearchIQ1_M>},
    {kIdIQ4_NL, quantize_iq4_nl<V>},
    {kIdIQ4_XS, quantize_iq4_xs<V>},
    {kIdMXFP4, quantize_mxfp4<V>},
    {kIdNVFP4, quantize_nvfp4<V>},
    {kIdTQ1_0, quantize_tq1_0<V>},
    {kIdTQ2_0, quantize_tq2_0<V>},
    {kIdQ1_0, quantize_q1_0<V>},
    {kIdQ2_0, quantize_q2_0<V>},
};

template <typename V>
constexpr KernelTable<QuantizeRow> table_of(Isa isa) {
  return {isa, kRows<V>, sizeof(kRows<V>) / sizeof(kRows<V>[0])};
}

template <typename V>
constexpr KernelRow<QuantizeWeighted> kWeightedRows[] = {
    {kIdQ4_0, quantize_weighted_symmetric_32<V, Q4_0Lanes>},
    {kIdQ4_1, quantize_weighted_affine_32<V, Q4_1Lanes>},
    {kIdQ5_0, quantize_weighted_symmetric_32<V, Q5_0Lanes>},
    {kIdQ5_1, quantize_weighted_affine_32<V, Q5_1Lanes>},
    {kIdQ2_K, quantize_weighted_affine_k<V, Q2KLanes>},
    {kIdQ3_K, quantize_weighted_q3_k<V>},
    {kIdQ4_K, quantize_weighted_affine_k<V, Q4KLanes>},
    {kIdQ5_K, quantize_weighted_affine_k<V, Q5KLanes>},
    {kIdQ6_K, quantize_q6_k_sets<true, V>},
    {kIdIQ2_XXS, quantize_weighted_codebook<V, SearchIQ2_XXS>},
    {kIdIQ2_XS, quantize_weighted_codebook<V, SearchIQ2_XS>},
    {kIdIQ2_S, quantize_weighted_codebook<V, SearchIQ2_S>},
    {kIdIQ3_XXS, quantize_weighted_codebook<V, SearchIQ3_XXS>},
    {kIdIQ3_S, quantize_weighted_codebook<V, SearchIQ3_S>},
    {kIdIQ1_S, quantize_weighted_iq1<V, SearchIQ1_S>},
    {kIdIQ1_M, quantize_weighted_iq1<V, SearchIQ1_M>},
    {kIdIQ4_NL, quantize_iq4_nl_sets<true, V>},
    {kIdIQ4_XS, quantize_iq4_xs_sets<true, V>},
};

template <typename V>
constexpr KernelTable<QuantizeWeighted> weighted_table_of(Isa isa) {
  return {isa, kWeightedRows<V>, sizeof(kWeightedRows<V>) / sizeof(kWeightedRows<V>[0])};
}

}  // namespace
}  // namespace nibble
