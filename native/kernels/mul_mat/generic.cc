#include "kernels/simd/generic.h"

#include "kernels/mul_mat/isa_tables.h"
#include "kernels/mul_mat/lanes.h"

namespace nibble {

extern constexpr KernelTable<MulMat> kMulMat_generic = mul_mat_table<Generic>(Isa::kGeneric);

}  // namespace nibble
