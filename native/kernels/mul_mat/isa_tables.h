#pragma once

#include "kernels/dispatch.h"
#include "kernels/mul_mat/mul_mat.h"

// The tables of the family, one per instruction set; each is in the file of that name.
namespace nibble {

extern const KernelTable<MulMat> kMulMat_x86_avx512bf16;
extern const KernelTable<MulMat> kMulMat_x86_avx512vnni;
extern const KernelTable<MulMat> kMulMat_x86_avxvnni;
extern const KernelTable<MulMat> kMulMat_x86_avx2;
extern const KernelTable<MulMat> kMulMat_arm_neoni8mm;
extern const KernelTable<MulMat> kMulMat_arm_neondot;
extern const KernelTable<MulMat> kMulMat_arm_neon;
extern const KernelTable<MulMat> kMulMat_generic;

// Those of this architecture, best first.
#if defined(__x86_64__) || defined(_M_X64)
constexpr const KernelTable<MulMat>* kMulMatTables[] = {
    &kMulMat_x86_avx512bf16, &kMulMat_x86_avx512vnni, &kMulMat_x86_avxvnni, &kMulMat_x86_avx2,
    &kMulMat_generic};
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr const KernelTable<MulMat>* kMulMatTables[] = {&kMulMat_arm_neoni8mm, &kMulMat_arm_neondot,
                                                        &kMulMat_arm_neon, &kMulMat_generic};
#else
constexpr const KernelTable<MulMat>* kMulMatTables[] = {&kMulMat_generic};
#endif

}  // namespace nibble
