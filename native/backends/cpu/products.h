#pragma once

#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/mul_mat/mul_mat.h"
#include "kernels/row_math/row_math.h"
#include "kernels/vec_dot/vec_dot.h"

// What all users of the product kernels do: activations with their codes, and the choice between
// the kernel for few rows and that for many.
namespace nibble {

// Memory for the codes of activation rows.
class ActivationBuffer {
 public:
  // Room for `rows` rows of n values; not yet the codes.
  Activations reserve(const float* x, int64_t rows, int64_t n);
  // The codes of row r of what reserve() gave.
  static void quantize(const RowMath& math, const Activations& x, int64_t r);

 private:
  AlignedBuffer memory_;
};

// Rows first .. first + rows of x.
Activations part(const Activations& x, int64_t first, int64_t rows);

struct Kernels {
  VecDot vec_dot;
  MulMat mul_mat;
  // With fewer rows a panel costs more to unpack than it saves (nibble_bench_backends).
  int64_t panel_from;

  // out[a * out_stride + r] = weights[r] . x[a]; `panel` has room for panel_bytes(x.n).
  void multiply(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                float* out, int64_t out_stride, void* panel) const;
};

// The kernels of every type, looked up once.
class KernelsOfFormats {
 public:
  explicit KernelsOfFormats(Isa isa);
  const Kernels& operator[](const Format& format) const { return rows_[format.id]; }

 private:
  std::vector<Kernels> rows_;  // by ggml id
};

}  // namespace nibble
