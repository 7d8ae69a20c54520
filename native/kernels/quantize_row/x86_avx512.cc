#include "kernels/simd/x86_avx512.h"

#include "kernels/quantize_row/isa_tables.h"
#include "kernels/quantize_row/lanes.h"

namespace nibble {

extern constexpr KernelTable<QuantizeRow> kQuantizeRow_x86_avx512 =
    table_of<Avx512>(Isa::kX86Avx512);

extern constexpr KernelTable<QuantizeWeighted> kQuantizeWeighted_x86_avx512 =
    weighted_table_of<Avx512>(Isa::kX86Avx512);

}  // namespace nibble
