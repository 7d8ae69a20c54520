#include "kernels/attention/isa_tables.h"
#include "kernels/attention/lanes.h"
#include "kernels/simd/dot_x86_avx2.h"

namespace nibble {

extern constexpr Attention kAttention_x86_avx2 = attention_of<DotAvx2, 2, 4, 4>(Isa::kX86Avx2);

}  // namespace nibble
