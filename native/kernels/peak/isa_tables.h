#pragma once

#include "kernels/peak/peak.h"

// The loops, one set per instruction set; each is in the file of that name.
namespace nibble {

extern const PeakLoops kPeak_x86_avx512vnni;
extern const PeakLoops kPeak_x86_avxvnni;
extern const PeakLoops kPeak_x86_avx2;
extern const PeakLoops kPeak_arm_neondot;
extern const PeakLoops kPeak_arm_neon;
extern const PeakLoops kPeak_generic;

// Those of this architecture, best first.
#if defined(__x86_64__) || defined(_M_X64)
constexpr const PeakLoops* kPeakTables[] = {&kPeak_x86_avx512vnni, &kPeak_x86_avxvnni,
                                            &kPeak_x86_avx2, &kPeak_generic};
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr const PeakLoops* kPeakTables[] = {&kPeak_arm_neondot, &kPeak_arm_neon, &kPeak_generic};
#else
constexpr const PeakLoops* kPeakTables[] = {&kPeak_generic};
#endif

}  // namespace nibble
