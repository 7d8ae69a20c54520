#include <immintrin.h>

#include "kernels/peak/isa_tables.h"
#include "kernels/peak/loops.h"

namespace nibble {
namespace {

struct Bytes {
  using Sum = __m512i;
  static constexpr double kOperations = 2 * 64;
  static Sum zero(int i) { return _mm512_set1_epi32(i); }
  static Sum add(Sum sum, int i) {
    return _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(0x01020304 + i % 2), _mm512_set1_epi32(3));
  }
  static float reduce(Sum sum) { return static_cast<float>(_mm512_reduce_add_epi32(sum)); }
};

struct Floats {
  using Sum = __m512;
  static constexpr double kOperations = 2 * 16;
  static Sum zero(int i) { return _mm512_set1_ps(static_cast<float>(i)); }
  static Sum add(Sum sum, int i) {
    return _mm512_fmadd_ps(sum, _mm512_set1_ps(0.5f),
                           _mm512_set1_ps(static_cast<float>(1 + i % 2)));
  }
  static float reduce(Sum sum) { return _mm512_reduce_add_ps(sum); }
};

}  // namespace

extern constexpr PeakLoops kPeak_x86_avx512vnni = {Isa::kX86Avx512Vnni, run_loop<Bytes, 16>,
                                                   run_loop<Floats, 16>};

}  // namespace nibble
