#pragma once

#include <cstring>

#include "kernels/simd/dot_x86_avx2.h"
#include "kernels/simd/sums.h"

// AVX2 with the byte products of VNNI: see dot_x86_avx512vnni.h. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

struct DotAvxVnni : PanelsAvx2, SumsOf32Bits {
  static I8 dpbusd(I8 acc, Bytes codes, Bytes a) {
#ifdef NIBBLE_AVXVNNI_AS_AVX512
    return _mm256_dpbusd_epi32(acc, codes, a);
#else
    return _mm256_dpbusd_avx_epi32(acc, codes, a);
#endif
  }
  template <bool kSigned>
  static I8 dot_bytes(I8 acc, Bytes codes, Bytes a) {
    to_unsigned<kSigned>(&codes, &a);
    return dpbusd(acc, codes, a);
  }

  static constexpr bool kUnsignedOnly = true;
  // 8 sums of integers, and codes and activations; the sums of floats wait in memory.
  static constexpr int acts(int, int) { return 4; }
  using Int = __m256i;
  using Part = Int;
  template <bool kSigned>
  static Part dot4(Part acc, const uint8_t* codes, const int8_t* a) {
    int32_t four;
    std::memcpy(&four, a, sizeof(four));
    return dpbusd(acc, load_bytes(codes), _mm256_set1_epi32(four));
  }
};

}  // namespace
}  // namespace nibble
