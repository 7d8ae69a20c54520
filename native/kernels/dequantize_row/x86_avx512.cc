#include "kernels/dequantize_row/isa_tables.h"
#include "kernels/dequantize_row/lanes.h"
#include "kernels/simd/rows_x86_avx512.h"

namespace nibble {

extern constexpr KernelTable<DequantizeRow> kDequantizeRow_x86_avx512 =
    dequantize_row_table<RowsAvx512>(Isa::kX86Avx512);

}  // namespace nibble
