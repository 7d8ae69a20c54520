#include "kernels/simd/dot_arm.h"
#include "kernels/vec_dot/isa_tables.h"
#include "kernels/vec_dot/lanes.h"

namespace nibble {

extern constexpr KernelTable<VecDot> kVecDot_arm_neon = vec_dot_table<DotNeon>(Isa::kArmNeon);

}  // namespace nibble
