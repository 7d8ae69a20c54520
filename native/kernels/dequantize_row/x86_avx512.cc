#include "kernels/simd/x86_avx512.h"

#include "kernels/dequantize_row/isa_tables.h"
#include "kernels/dequantize_row/lanes.h"

namespace nibble {

extern constexpr KernelTable<DequantizeRow> kDequantizeRow_x86_avx512 =
    table_of<Avx512>(Isa::kX86Avx512);

}  // namespace nibble
