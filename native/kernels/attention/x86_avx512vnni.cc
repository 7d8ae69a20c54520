#include "kernels/attention/isa_tables.h"
#include "kernels/attention/lanes.h"
#include "kernels/simd/dot_x86_avx512vnni.h"

namespace nibble {

extern constexpr Attention kAttention_x86_avx512vnni =
    attention_of<DotAvx512Vnni, 2, 8, 4>(Isa::kX86Avx512Vnni);

}  // namespace nibble
