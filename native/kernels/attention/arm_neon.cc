#include "kernels/attention/isa_tables.h"
#include "kernels/attention/lanes.h"
#include "kernels/simd/dot_arm.h"

namespace nibble {

extern constexpr Attention kAttention_arm_neon = attention_of<DotNeon, 4, 4, 2>(Isa::kArmNeon);

}  // namespace nibble
