#include "kernels/simd/dot_x86_avx2.h"
#include "kernels/vec_dot/isa_tables.h"
#include "kernels/vec_dot/lanes.h"

namespace nibble {

extern constexpr KernelTable<VecDot> kVecDot_x86_avx2 = vec_dot_table<DotAvx2>(Isa::kX86Avx2);

}  // namespace nibble
