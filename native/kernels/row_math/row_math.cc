#include "kernels/row_math/row_math.h"

#include "kernels/row_math/isa_tables.h"

namespace nibble {

const RowMath& find_row_math(Isa isa) {
  for (const RowMath* functions : kRowMathTables) {
    if (functions->isa >= isa && isa_supported(functions->isa)) return *functions;
  }
  return kRowMath_generic;
}

}  // namespace nibble
