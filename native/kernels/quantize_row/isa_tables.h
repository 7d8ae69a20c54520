#pragma once

#include "kernels/dispatch.h"

// The tables of the family, one per instruction set; each is in the file of that name.
namespace nibble {

extern const KernelTable<QuantizeRow> kQuantizeRow_x86_avx512;
extern const KernelTable<QuantizeRow> kQuantizeRow_x86_avx2;
extern const KernelTable<QuantizeRow> kQuantizeRow_arm_neon;
extern const KernelTable<QuantizeWeighted> kQuantizeWeighted_x86_avx512;
extern const KernelTable<QuantizeWeighted> kQuantizeWeighted_x86_avx2;
extern const KernelTable<QuantizeWeighted> kQuantizeWeighted_arm_neon;

// Those of this architecture, best first.
#if defined(__x86_64__) || defined(_M_X64)
constexpr const KernelTable<QuantizeRow>* kQuantizeRowTables[] = {&kQuantizeRow_x86_avx512,
                                                                  &kQuantizeRow_x86_avx2};
constexpr const KernelTable<QuantizeWeighted>* kQuantizeWeightedTables[] = {
    &kQuantizeWeighted_x86_avx512, &kQuantizeWeighted_x86_avx2};
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr const KernelTable<QuantizeRow>* kQuantizeRowTables[] = {&kQuantizeRow_arm_neon};
constexpr const KernelTable<QuantizeWeighted>* kQuantizeWeightedTables[] = {
    &kQuantizeWeighted_arm_neon};
#else
constexpr const KernelTable<QuantizeRow>* kQuantizeRowTables[] = {nullptr};
constexpr const KernelTable<QuantizeWeighted>* kQuantizeWeightedTables[] = {nullptr};
#endif

}  // namespace nibble
