#include "kernels/attention/isa_tables.h"
#include "kernels/attention/lanes.h"
#include "kernels/simd/dot_x86_avxvnni.h"

namespace nibble {

extern constexpr Attention kAttention_x86_avxvnni =
    attention_of<DotAvxVnni, 2, 4, 4>(Isa::kX86AvxVnni);

}  // namespace nibble
