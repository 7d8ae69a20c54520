#pragma once

#include "kernels/dispatch.h"
#include "kernels/vec_dot/vec_dot.h"

// The tables of the family, one per instruction set; each is in the file of that name.
namespace nibble {

extern const KernelTable<VecDot> kVecDot_x86_avx512vnni;
extern const KernelTable<VecDot> kVecDot_x86_avxvnni;
extern const KernelTable<VecDot> kVecDot_x86_avx2;
extern const KernelTable<VecDot> kVecDot_arm_neondot;
extern const KernelTable<VecDot> kVecDot_arm_neon;
extern const KernelTable<VecDot> kVecDot_generic;

// Those of this architecture, best first.
#if defined(__x86_64__) || defined(_M_X64)
constexpr const KernelTable<VecDot>* kVecDotTables[] = {
    &kVecDot_x86_avx512vnni, &kVecDot_x86_avxvnni, &kVecDot_x86_avx2, &kVecDot_generic};
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr const KernelTable<VecDot>* kVecDotTables[] = {&kVecDot_arm_neondot, &kVecDot_arm_neon,
                                                        &kVecDot_generic};
#else
constexpr const KernelTable<VecDot>* kVecDotTables[] = {&kVecDot_generic};
#endif

}  // namespace nibble
