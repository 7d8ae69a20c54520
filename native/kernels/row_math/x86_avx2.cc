#include "kernels/row_math/isa_tables.h"
#include "kernels/row_math/loops.h"

namespace nibble {

extern constexpr RowMath kRowMath_x86_avx2 = row_math_of(Isa::kX86Avx2);

}  // namespace nibble
