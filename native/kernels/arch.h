#pragma once

#include <cstddef>

// Which instruction sets there are, which of them this machine runs, and which one is in use.
namespace nibble {

// Best first; kGeneric always runs. x86_avx512 means F, BW, DQ, VL; x86_avx2 means AVX2, FMA and
// F16C; vnni and dot add the dot product of bytes, i8mm the product of matrices of them, bf16 the
// dot product of BF16, which only families of the RUNTIME contract have kernels for.
enum class Isa {
  kX86Avx512Bf16,
  kX86Avx512Vnni,
  kX86Avx512,
  kX86AvxVnni,
  kX86Avx2,
  kArmNeonI8mm,
  kArmNeonDot,
  kArmNeon,
  kGeneric
};

constexpr Isa kAllIsas[] = {Isa::kX86Avx512Bf16, Isa::kX86Avx512Vnni, Isa::kX86Avx512,
                            Isa::kX86AvxVnni,    Isa::kX86Avx2,       Isa::kArmNeonI8mm,
                            Isa::kArmNeonDot,    Isa::kArmNeon,       Isa::kGeneric};

// Those that the families of the FILE contract have kernels for, and those of RUNTIME.
constexpr Isa kFileIsas[] = {Isa::kX86Avx512, Isa::kX86Avx2, Isa::kArmNeon, Isa::kGeneric};
constexpr Isa kRuntimeIsas[] = {Isa::kX86Avx512Bf16, Isa::kX86Avx512Vnni, Isa::kX86AvxVnni,
                                Isa::kX86Avx2,       Isa::kArmNeonI8mm,   Isa::kArmNeonDot,
                                Isa::kArmNeon,       Isa::kGeneric};
// Whether only mul_mat has kernels for it, and of some types; all else takes the next worse one.
constexpr bool is_partial(Isa isa) {
  return isa == Isa::kX86Avx512Bf16 || isa == Isa::kArmNeonI8mm;
}

// "x86_avx512bf16", "x86_avx512vnni", "x86_avx512", "x86_avxvnni", "x86_avx2", "arm_neoni8mm",
// "arm_neondot", "arm_neon", "generic".
const char* isa_name(Isa isa);
// By name; false if there is none of that name.
bool find_isa(const char* name, Isa* isa);
// Whether the addon has kernels for it and the machine (and its operating system) runs them.
bool isa_supported(Isa isa);
// The best that is supported, or the one that NIBBLE_FORCE_ISA names. Throws Error (kArgument)
// where that name is unknown or not supported here: a forced ISA never falls back quietly.
Isa isa_in_use();

}  // namespace nibble
