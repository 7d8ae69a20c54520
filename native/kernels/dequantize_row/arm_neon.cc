#include "kernels/dequantize_row/isa_tables.h"
#include "kernels/dequantize_row/lanes.h"
#include "kernels/simd/dot_arm.h"

namespace nibble {

extern constexpr KernelTable<DequantizeRow> kDequantizeRow_arm_neon =
    dequantize_row_table<DotNeon>(Isa::kArmNeon);

}  // namespace nibble
