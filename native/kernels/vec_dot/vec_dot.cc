#include "kernels/vec_dot/vec_dot.h"

#include "kernels/vec_dot/isa_tables.h"

namespace nibble {

bool takes_codes(const Format& format) { return format.values_per_block > 1; }

VecDot find_vec_dot(const Format& format, Isa isa, Isa* used) {
  return find_kernel<VecDot>(kVecDotTables, format, isa, nullptr, used);
}

}  // namespace nibble
