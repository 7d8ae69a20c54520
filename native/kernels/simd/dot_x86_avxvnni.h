#pragma once

#include <cstring>

#include "kernels/simd/dot_x86.h"

// AVX2 with the byte products of VNNI: see dot_x86_avx512vnni.h. Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

struct DotAvxVnni : DotAvx2 {
  static I8 dpbusd(I8 acc, Bytes codes, Bytes a) {
#ifdef NIBBLE_AVXVNNI_AS_AVX512
    return _mm256_dpbusd_epi32(acc, codes, a);
#else
    return _mm256_dpbusd_avx_epi32(acc, codes, a);
#endif
  }
  // All of them: codes of 0 .. 255, as kUnsignedOnly makes them, are more than AVX2's can take.
  template <bool kSigned>
  static I8 dot_bytes(I8 acc, Bytes codes, Bytes a) {
    to_unsigned<kSigned>(&codes, &a);
    return dpbusd(acc, codes, a);
  }
  template <bool kSigned>
  static I8 dot32(I8 acc, Bytes codes, const int8_t* a) {
    return dot_bytes<kSigned>(acc, codes, load_bytes(reinterpret_cast<const uint8_t*>(a)));
  }
  template <bool kSigned>
  static I8 dot_two(I8 acc, TwoBytes codes, TwoBytes a) {
    return dot_bytes<kSigned>(dot_bytes<kSigned>(acc, codes.first, a.first), codes.second,
                              a.second);
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
    return dpbusd(acc, load_bytes(codes), _mm256_set1_epi32(four));
  }
};

}  // namespace
}  // namespace nibble
