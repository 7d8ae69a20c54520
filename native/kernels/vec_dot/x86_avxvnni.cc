#include "kernels/simd/dot_x86_avxvnni.h"
#include "kernels/vec_dot/isa_tables.h"
#include "kernels/vec_dot/lanes.h"

namespace nibble {

extern constexpr KernelTable<VecDot> kVecDot_x86_avxvnni =
    vec_dot_table<DotAvxVnni>(Isa::kX86AvxVnni);

}  // namespace nibble
