#include "base/cpu_features.h"

#if defined(__aarch64__) || defined(_M_ARM64)
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>
#endif
#endif

namespace nibble {

bool arm_has_dot_product() {
#if defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kAsimdDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kAsimdDotProduct) != 0;
#elif defined(__aarch64__) && defined(__APPLE__)
  int has = 0;
  size_t bytes = sizeof(has);
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &bytes, nullptr, 0) == 0 && has != 0;
#elif defined(_M_ARM64) && defined(_WIN32)
  constexpr DWORD kDotProduct = 43;  // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE
  return IsProcessorFeaturePresent(kDotProduct) != 0;
#else
  return false;
#endif
}

bool arm_has_byte_matrices() {
#if defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kI8mm = 1ul << 13;  // HWCAP2_I8MM
  return (getauxval(AT_HWCAP2) & kI8mm) != 0;
#elif defined(__aarch64__) && defined(__APPLE__)
  int has = 0;
  size_t bytes = sizeof(has);
  return sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &bytes, nullptr, 0) == 0 && has != 0;
#else
  return false;
#endif
}

}  // namespace nibble
