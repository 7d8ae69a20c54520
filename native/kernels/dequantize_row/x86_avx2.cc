#include "kernels/simd/x86_avx2.h"

#include "kernels/dequantize_row/isa_tables.h"
#include "kernels/dequantize_row/lanes.h"

namespace nibble {

extern constexpr KernelTable<DequantizeRow> kDequantizeRow_x86_avx2 = table_of<Avx2>(Isa::kX86Avx2);

}  // namespace nibble
