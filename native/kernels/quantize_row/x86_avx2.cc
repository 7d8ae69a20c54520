#include "kernels/simd/x86_avx2.h"

#include "kernels/quantize_row/isa_tables.h"
#include "kernels/quantize_row/lanes.h"

namespace nibble {

extern constexpr KernelTable<QuantizeRow> kQuantizeRow_x86_avx2 = table_of<Avx2>(Isa::kX86Avx2);

extern constexpr KernelTable<QuantizeWeighted> kQuantizeWeighted_x86_avx2 =
    weighted_table_of<Avx2>(Isa::kX86Avx2);

}  // namespace nibble
