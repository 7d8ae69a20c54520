#include "kernels/simd/arm_neon.h"

#include "kernels/dequantize_row/isa_tables.h"
#include "kernels/dequantize_row/lanes.h"

namespace nibble {

extern constexpr KernelTable<DequantizeRow> kDequantizeRow_arm_neon = table_of<Neon>(Isa::kArmNeon);

}  // namespace nibble
