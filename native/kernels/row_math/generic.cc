#include "kernels/row_math/isa_tables.h"
#include "kernels/row_math/loops.h"
#include "kernels/row_math/quantize_act_loops.h"

namespace nibble {

extern constexpr RowMath kRowMath_generic = row_math_of(Isa::kGeneric, quantize_act);

}  // namespace nibble
