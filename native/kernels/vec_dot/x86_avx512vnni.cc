#include "kernels/simd/dot_x86_avx512vnni.h"
#include "kernels/vec_dot/isa_tables.h"
#include "kernels/vec_dot/lanes.h"

namespace nibble {

extern constexpr KernelTable<VecDot> kVecDot_x86_avx512vnni =
    vec_dot_table<DotAvx512Vnni>(Isa::kX86Avx512Vnni);

}  // namespace nibble
