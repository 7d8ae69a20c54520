#include "kernels/simd/generic.h"

#include "kernels/vec_dot/isa_tables.h"
#include "kernels/vec_dot/lanes.h"

namespace nibble {

extern constexpr KernelTable<VecDot> kVecDot_generic = vec_dot_table<Generic>(Isa::kGeneric);

}  // namespace nibble
