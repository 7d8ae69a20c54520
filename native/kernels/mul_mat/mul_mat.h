#pragma once

#include "formats/formats.h"
#include "kernels/arch.h"
#include "kernels/row_math/activations.h"

// Weight rows times many activation rows (prompts). A panel of weight rows is unpacked once into
// bytes and scales, in cache, and multiplied with all activation rows: every type runs at about the
// same speed. RUNTIME contract, as vec_dot; where the machine multiplies BF16 (x86_avx512bf16),
// activations are rounded to BF16 for weights of that type, and the contract holds for what they
// then are.
namespace nibble {

// Rows of a panel: work is best cut at multiples of it.
constexpr int64_t kPanelRows = 32;
// Values of a row that a panel of floats holds: 32 KiB, the first cache.
constexpr int64_t kFloatStretch = 256;

// out[a * out_stride + r] = weights[r] . x[a] for `rows` rows and all activation rows.
// `panel` has room for panel_bytes(n), aligned to 64.
using MulMat = void (*)(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                        float* out, int64_t out_stride, void* panel);

// Bytes that any kernel of the family needs for a panel of rows of n values.
int64_t panel_bytes(int64_t n);

MulMat find_mul_mat(const Format& format, Isa isa, Isa* used = nullptr);

}  // namespace nibble
