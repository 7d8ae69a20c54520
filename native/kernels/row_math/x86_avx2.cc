#include "kernels/row_math/isa_tables.h"
#include "kernels/row_math/loops.h"
#include "kernels/row_math/quantize_act_x86.h"

namespace nibble {

extern constexpr RowMath kRowMath_x86_avx2 = row_math_of(Isa::kX86Avx2, quantize_act_x86);

}  // namespace nibble
