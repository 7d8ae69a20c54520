#include "kernels/simd/generic.h"

#include "kernels/attention/isa_tables.h"
#include "kernels/attention/lanes.h"

namespace nibble {

extern constexpr Attention kAttention_generic = attention_of<Generic, 1, 4, 2>(Isa::kGeneric);

}  // namespace nibble
