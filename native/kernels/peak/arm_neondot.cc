#include "kernels/peak/arm_loops.h"
#include "kernels/peak/isa_tables.h"

namespace nibble {
namespace {

struct Bytes {
  using Sum = int32x4_t;
  static constexpr double kOperations = 2 * 16;
  static Sum zero(int i) { return vdupq_n_s32(i); }
  static Sum add(Sum sum, int i) {
    return vdotq_s32(sum, vdupq_n_s8(static_cast<int8_t>(1 + i % 2)), vdupq_n_s8(3));
  }
  static float reduce(Sum sum) { return static_cast<float>(vaddvq_s32(sum)); }
};

}  // namespace

extern constexpr PeakLoops kPeak_arm_neondot = {Isa::kArmNeonDot, run_loop<Bytes, 16>,
                                                run_loop<FloatsNeon, 16>};

}  // namespace nibble
