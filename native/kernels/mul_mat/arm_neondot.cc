#include "kernels/mul_mat/isa_tables.h"
#include "kernels/mul_mat/lanes.h"
#include "kernels/simd/dot_arm.h"

namespace nibble {

extern constexpr KernelTable<MulMat> kMulMat_arm_neondot =
    mul_mat_table<DotNeonDot>(Isa::kArmNeonDot);

}  // namespace nibble
