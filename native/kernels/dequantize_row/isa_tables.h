#pragma once

#include "kernels/dispatch.h"

// The tables of the family, one per instruction set; each is in the file of that name.
namespace nibble {

extern const KernelTable<DequantizeRow> kDequantizeRow_x86_avx512;
extern const KernelTable<DequantizeRow> kDequantizeRow_x86_avx2;
extern const KernelTable<DequantizeRow> kDequantizeRow_arm_neon;

// Those of this architecture, best first.
#if defined(__x86_64__) || defined(_M_X64)
constexpr const KernelTable<DequantizeRow>* kDequantizeRowTables[] = {&kDequantizeRow_x86_avx512,
                                                                      &kDequantizeRow_x86_avx2};
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr const KernelTable<DequantizeRow>* kDequantizeRowTables[] = {&kDequantizeRow_arm_neon};
#else
constexpr const KernelTable<DequantizeRow>* kDequantizeRowTables[] = {nullptr};
#endif

}  // namespace nibble
