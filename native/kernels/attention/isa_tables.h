#pragma once

#include "kernels/attention/attention.h"

// The functions, one set per instruction set; each is in the file of that name.
namespace nibble {

extern const Attention kAttention_x86_avx512vnni;
extern const Attention kAttention_x86_avxvnni;
extern const Attention kAttention_x86_avx2;
extern const Attention kAttention_arm_neondot;
extern const Attention kAttention_arm_neon;
extern const Attention kAttention_generic;

// Those of this architecture, best first.
#if defined(__x86_64__) || defined(_M_X64)
constexpr const Attention* kAttentionTables[] = {
    &kAttention_x86_avx512vnni, &kAttention_x86_avxvnni, &kAttention_x86_avx2, &kAttention_generic};
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr const Attention* kAttentionTables[] = {&kAttention_arm_neondot, &kAttention_arm_neon,
                                                 &kAttention_generic};
#else
constexpr const Attention* kAttentionTables[] = {&kAttention_generic};
#endif

}  // namespace nibble
