#include "kernels/peak/arm_loops.h"
#include "kernels/peak/isa_tables.h"

namespace nibble {
namespace {

// Eight bytes to 16 bits and these to 32: four instructions for 16 products.
struct Bytes {
  using Sum = int32x4_t;
  static constexpr double kOperations = 2 * 16;
  static Sum zero(int i) { return vdupq_n_s32(i); }
  static Sum add(Sum sum, int i) {
    // The bytes come from the sum, or the compiler would compute their products only once.
    const int8x16_t codes = vaddq_s8(vreinterpretq_s8_s32(sum), vdupq_n_s8(static_cast<int8_t>(i)));
    const int8x16_t three = vdupq_n_s8(3);
    const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(three));
    const int16x8_t high = vmull_high_s8(codes, three);
    return vpadalq_s16(vpadalq_s16(sum, low), high);
  }
  static float reduce(Sum sum) { return static_cast<float>(vaddvq_s32(sum)); }
};

}  // namespace

extern constexpr PeakLoops kPeak_arm_neon = {Isa::kArmNeon, run_loop<Bytes, 10>,
                                             run_loop<FloatsNeon, 16>};

}  // namespace nibble
