#pragma once

#include <cstring>

#include "kernels/simd/dot_x86.h"

// AVX2 with the byte products of VNNI: see dot_x86_avx512vnni.h. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

struct DotAvxVnni : DotAvx2 {
  template <bool kSigned>
  static I8 dot32(I8 acc, Bytes codes, const int8_t* activations) {
    Bytes a = load_bytes(reinterpret_cast<const uint8_t*>(activations));
    to_unsigned<kSigned>(&codes, &a);
    return _mm256_dpbusd_avx_epi32(acc, codes, a);
  }

  static constexpr bool kUnsignedOnly = true;
  // Products are added to sums of 32 bits at once.
  using Part = Int;
  static constexpr int fours_at_once(int) { return 8; }
  static Part begin(Int acc) { return acc; }
  static Int finish(Int, Part part) { return part; }
  template <bool kSigned>
  static Part dot4(Part acc, const uint8_t* codes, const int8_t* a) {
    int32_t four;
    std::memcpy(&four, a, sizeof(four));
    return _mm256_dpbusd_avx_epi32(acc, load_bytes(codes), _mm256_set1_epi32(four));
  }
};

}  // namespace
}  // namespace nibble
