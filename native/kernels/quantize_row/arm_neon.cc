#include "kernels/simd/arm_neon.h"

#include "kernels/quantize_row/isa_tables.h"
#include "kernels/quantize_row/lanes.h"

namespace nibble {

extern constexpr KernelTable<QuantizeRow> kQuantizeRow_arm_neon = table_of<Neon>(Isa::kArmNeon);

extern constexpr KernelTable<QuantizeWeighted> kQuantizeWeighted_arm_neon =
    weighted_table_of<Neon>(Isa::kArmNeon);

}  // namespace nibble
