#include "kernels/mul_mat/isa_tables.h"
#include "kernels/mul_mat/lanes.h"
#include "kernels/simd/dot_arm.h"

namespace nibble {

// Floats gain nothing: they take the next worse kernel.
extern constexpr KernelTable<MulMat> kMulMat_arm_neoni8mm =
    mul_mat_table_of_blocks<DotNeonI8mm>(Isa::kArmNeonI8mm);

}  // namespace nibble
