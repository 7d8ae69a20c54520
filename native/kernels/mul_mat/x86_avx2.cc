#include "kernels/mul_mat/isa_tables.h"
#include "kernels/mul_mat/lanes.h"
#include "kernels/simd/dot_x86_avx2.h"

namespace nibble {

extern constexpr KernelTable<MulMat> kMulMat_x86_avx2 = mul_mat_table<DotAvx2>(Isa::kX86Avx2);

}  // namespace nibble
