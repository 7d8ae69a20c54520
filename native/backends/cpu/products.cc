#include "backends/cpu/products.h"

namespace nibble {

Activations ActivationBuffer::reserve(const float* x, int64_t rows, int64_t n) {
  const int64_t values = rows * n;
  const int64_t blocks = values / kActBlock;
  const int64_t groups = values / kActGroup;
  auto* memory = memory_.reserve<uint8_t>(values + 4 * (blocks + 2 * groups));
  auto* scale = reinterpret_cast<float*>(memory + values);
  auto* sum = scale + blocks;
  auto* code_sum = reinterpret_cast<int32_t*>(sum + groups);
  return {rows, n, x, reinterpret_cast<int8_t*>(memory), scale, code_sum, sum};
}

void ActivationBuffer::quantize(const RowMath& math, const Activations& x, int64_t r) {
  const int64_t groups = r * (x.n / kActGroup);
  math.quantize_act(x.f32 + r * x.n, x.n, const_cast<int8_t*>(x.codes) + r * x.n,
                    const_cast<float*>(x.scale) + r * (x.n / kActBlock),
                    const_cast<int32_t*>(x.code_sum) + groups, const_cast<float*>(x.sum) + groups);
}

Activations part(const Activations& x, int64_t first, int64_t rows) {
  Activations some = {rows, x.n, x.f32 + first * x.n, nullptr, nullptr, nullptr, nullptr};
  if (x.codes == nullptr) return some;
  const int64_t groups = first * (x.n / kActGroup);
  some.codes = x.codes + first * x.n;
  some.scale = x.scale + first * (x.n / kActBlock);
  some.code_sum = x.code_sum + groups;
  some.sum = x.sum + groups;
  return some;
}

void Kernels::multiply(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                       float* out, int64_t out_stride, void* panel) const {
  if (x.rows < panel_from) {
    for (int64_t a = 0; a < x.rows; ++a)
      vec_dot(weights, row_bytes, rows, x, a, out + a * out_stride);
    return;
  }
  mul_mat(weights, row_bytes, rows, x, out, out_stride, panel);
}

KernelsOfFormats::KernelsOfFormats(Isa isa) {
  // Codes are four times as many a register as floats.
  constexpr int64_t kPanelOfCodesFrom = 6;
  constexpr int64_t kPanelOfFloatsFrom = 32;
  size_t count;
  const Format* rows = formats(&count);
  rows_.resize(rows[count - 1].id + 1);
  for (size_t i = 0; i < count; ++i) {
    rows_[rows[i].id] = {find_vec_dot(rows[i], isa), find_mul_mat(rows[i], isa),
                         takes_codes(rows[i]) ? kPanelOfCodesFrom : kPanelOfFloatsFrom};
  }
}

}  // namespace nibble
