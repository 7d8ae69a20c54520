#include "kernels/dequantize_row/isa_tables.h"
#include "kernels/dequantize_row/lanes.h"
#include "kernels/simd/dot_x86_avx2.h"

namespace nibble {

extern constexpr KernelTable<DequantizeRow> kDequantizeRow_x86_avx2 =
    dequantize_row_table<DotAvx2>(Isa::kX86Avx2);

}  // namespace nibble
