#include "kernels/mul_mat/isa_tables.h"
#include "kernels/mul_mat/lanes.h"
#include "kernels/simd/dot_x86_avxvnni.h"

namespace nibble {

extern constexpr KernelTable<MulMat> kMulMat_x86_avxvnni =
    mul_mat_table<DotAvxVnni>(Isa::kX86AvxVnni);

}  // namespace nibble
