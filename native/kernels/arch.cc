#include "kernels/arch.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/cpu_features.h"
#include "base/error.h"

#if defined(__x86_64__) || defined(_M_X64)
#define NIBBLE_X86 1
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace nibble {
namespace {

#ifdef NIBBLE_X86

struct Cpuid {
  unsigned a, b, c, d;
};

Cpuid cpuid(unsigned leaf, unsigned subleaf) {
  Cpuid r = {0, 0, 0, 0};
#ifdef _MSC_VER
  int regs[4];
  __cpuidex(regs, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<unsigned>(regs[0]), static_cast<unsigned>(regs[1]),
       static_cast<unsigned>(regs[2]), static_cast<unsigned>(regs[3])};
#else
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
#endif
  return r;
}

// The registers that the operating system saves when it switches threads (XCR0).
unsigned saved_registers() {
#ifdef _MSC_VER
  return static_cast<unsigned>(_xgetbv(0));
#else
  unsigned low;
  unsigned high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
#endif
}

bool all(unsigned value, unsigned mask) { return (value & mask) == mask; }

struct X86Features {
  bool avx2 = false;
  bool avx512 = false;
  bool vnni = false;
  bool bf16 = false;
  bool avx_vnni = false;
};

X86Features detect() {
  X86Features features;
  const Cpuid one = cpuid(1, 0);
  constexpr unsigned kOsxsave = 1u << 27, kAvx = 1u << 28, kFma = 1u << 12, kF16c = 1u << 29;
  if (!all(one.c, kOsxsave | kAvx | kFma | kF16c)) return features;
  const unsigned saved = saved_registers();
  const Cpuid seven = cpuid(7, 0);
  constexpr unsigned kAvx2 = 1u << 5;
  constexpr unsigned kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
  constexpr unsigned kYmm = 0x06, kZmm = 0xe6;
  features.avx2 = all(seven.b, kAvx2) && all(saved, kYmm);
  features.avx512 = features.avx2 && all(seven.b, kAvx512) && all(saved, kZmm);
  constexpr unsigned kVnni = 1u << 11;
  features.vnni = features.avx512 && all(seven.c, kVnni);
  const Cpuid more = cpuid(7, 1);
  constexpr unsigned kAvxVnni = 1u << 4, kBf16 = 1u << 5;
  features.avx_vnni = features.avx2 && all(more.a, kAvxVnni);
#ifdef NIBBLE_AVXVNNI_AS_AVX512
  features.avx_vnni |= features.vnni;
#endif
  features.bf16 = features.vnni && all(more.a, kBf16);
  return features;
}

const X86Features& x86() {
  static const X86Features features = detect();
  return features;
}

#endif

struct IsaName {
  Isa isa;
  const char* name;
};

constexpr IsaName kNames[] = {{Isa::kX86Avx512Bf16, "x86_avx512bf16"},
                              {Isa::kX86Avx512Vnni, "x86_avx512vnni"},
                              {Isa::kX86Avx512, "x86_avx512"},
                              {Isa::kX86AvxVnni, "x86_avxvnni"},
                              {Isa::kX86Avx2, "x86_avx2"},
                              {Isa::kArmNeonI8mm, "arm_neoni8mm"},
                              {Isa::kArmNeonDot, "arm_neondot"},
                              {Isa::kArmNeon, "arm_neon"},
                              {Isa::kGeneric, "generic"}};

Isa forced_isa(const char* name) {
  Isa isa;
  if (find_isa(name, &isa) && isa_supported(isa)) return isa;
  std::string supported;
  for (const IsaName& row : kNames) {
    if (isa_supported(row.isa))
      supported += (supported.empty() ? "" : ", ") + std::string(row.name);
  }
  Error error(ErrorCode::kArgument,
              "NIBBLE_FORCE_ISA: expected one of " + supported + ", got \"" + name + "\"");
  error.option = "NIBBLE_FORCE_ISA";
  throw error;
}

}  // namespace

const char* isa_name(Isa isa) {
  for (const IsaName& row : kNames) {
    if (row.isa == isa) return row.name;
  }
  return "generic";
}

bool find_isa(const char* name, Isa* isa) {
  for (const IsaName& row : kNames) {
    if (std::strcmp(row.name, name) != 0) continue;
    *isa = row.isa;
    return true;
  }
  return false;
}

bool isa_supported(Isa isa) {
  switch (isa) {
    case Isa::kGeneric:
      return true;
#ifdef NIBBLE_X86
    case Isa::kX86Avx2:
      return x86().avx2;
    case Isa::kX86Avx512:
      return x86().avx512;
    case Isa::kX86Avx512Vnni:
      return x86().vnni;
    case Isa::kX86Avx512Bf16:
      return x86().bf16;
    case Isa::kX86AvxVnni:
      return x86().avx_vnni;
#endif
#if defined(__aarch64__) || defined(_M_ARM64)
    case Isa::kArmNeon:
      return true;
    case Isa::kArmNeonDot:
      return arm_has_dot_product();
    case Isa::kArmNeonI8mm:
      return arm_has_dot_product() && arm_has_byte_matrices();
#endif
    default:
      return false;
  }
}

Isa isa_in_use() {
  const char* forced = std::getenv("NIBBLE_FORCE_ISA");
  if (forced != nullptr && *forced != '\0') return forced_isa(forced);
  for (const Isa isa : kAllIsas) {
    if (isa_supported(isa)) return isa;
  }
  return Isa::kGeneric;
}

}  // namespace nibble
