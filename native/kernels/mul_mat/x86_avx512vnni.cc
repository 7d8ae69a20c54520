#include "kernels/mul_mat/isa_tables.h"
#include "kernels/mul_mat/lanes.h"
#include "kernels/simd/dot_x86_avx512vnni.h"

namespace nibble {

extern constexpr KernelTable<MulMat> kMulMat_x86_avx512vnni =
    mul_mat_table<DotAvx512Vnni>(Isa::kX86Avx512Vnni);

}  // namespace nibble
