#pragma once

#include "formats/formats.h"
#include "kernels/arch.h"
#include "kernels/row_math/activations.h"

// Weight rows times one activation row (decode), straight from the packed blocks. RUNTIME contract:
// the sum in any order, within 1e-5 of the sum of the products' magnitudes. Types with mins have
// scale * code and min summed apart, so the magnitude of a weight is the largest of its 32 there.
namespace nibble {

// out[r] = weights[r] . x for `rows` rows, `row_bytes` apart; `x` is row `at` of the activations.
// Types in blocks take the int8 codes, F32, F16 and BF16 the f32 values.
using VecDot = void (*)(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                        int64_t at, float* out);

// Whether products with this type take the int8 codes: then n is a multiple of the block.
bool takes_codes(const Format& format);

// The kernel of `isa` for the format, or the next worse one's. Null only where there is no codec.
VecDot find_vec_dot(const Format& format, Isa isa, Isa* used = nullptr);

}  // namespace nibble
