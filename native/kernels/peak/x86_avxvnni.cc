#include "kernels/peak/isa_tables.h"
#include "kernels/peak/loops.h"
#include "kernels/peak/x86_loops.h"
#include "kernels/simd/dot_x86_avxvnni.h"

namespace nibble {
namespace {

struct Bytes {
  using Sum = __m256i;
  static constexpr double kOperations = 2 * 32;
  static Sum zero(int i) { return _mm256_set1_epi32(i); }
  static Sum add(Sum sum, int i) {
    return DotAvxVnni::dpbusd(sum, _mm256_set1_epi32(0x01020304 + i % 2), _mm256_set1_epi32(3));
  }
  static float reduce(Sum sum) { return FloatsAvx2::reduce(_mm256_cvtepi32_ps(sum)); }
};

}  // namespace

extern constexpr PeakLoops kPeak_x86_avxvnni = {Isa::kX86AvxVnni, run_loop<Bytes, 12>,
                                                run_loop<FloatsAvx2, 12>};

}  // namespace nibble
