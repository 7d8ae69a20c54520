#include <immintrin.h>

#include "kernels/peak/isa_tables.h"
#include "kernels/peak/loops.h"
#include "kernels/peak/x86_loops.h"

namespace nibble {
namespace {

// Bytes to 16 bits, these to 32, and the sum: three instructions for 32 products.
struct Bytes {
  using Sum = __m256i;
  static constexpr double kOperations = 2 * 32;
  static Sum zero(int i) { return _mm256_set1_epi32(i); }
  static Sum add(Sum sum, int i) {
    // The bytes come from the sum, or the compiler would compute their products only once.
    const __m256i codes = _mm256_add_epi8(sum, _mm256_set1_epi8(static_cast<char>(i)));
    const __m256i pairs = _mm256_maddubs_epi16(codes, _mm256_set1_epi8(3));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static float reduce(Sum sum) {
    int32_t lanes[8];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), sum);
    float total = 0.0f;
    for (const int32_t lane : lanes) total += static_cast<float>(lane);
    return total;
  }
};

}  // namespace

extern constexpr PeakLoops kPeak_x86_avx2 = {Isa::kX86Avx2, run_loop<Bytes, 10>,
                                             run_loop<FloatsAvx2, 12>};

}  // namespace nibble
