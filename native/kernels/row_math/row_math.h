#pragma once

#include <cstdint>

#include "kernels/arch.h"
#include "kernels/row_math/activations.h"

// What a graph does with rows of floats between products. RUNTIME contract: functions of one value
// within a few units in the last place of double precision and equal on every instruction set; sums
// in any order.
namespace nibble {

struct RowMath {
  Isa isa;

  // A row as int8; n is a multiple of 32. Codes are within half a step of the value. A block with a
  // value that is not finite makes every product with it NaN, as it would be in floats.
  void (*quantize_act)(const float* x, int64_t n, int8_t* codes, float* scale, int32_t* code_sum,
                       float* sum);

  // x = e^x / (sum of e^x), for n of at least 1.
  void (*softmax)(float* x, int64_t n);
  // ln(sum of e^x), for n of at least 1.
  double (*log_sum_exp)(const float* x, int64_t n);

  // out = x * weight / sqrt(mean of x^2 + eps). `out` may be x.
  void (*rms_norm)(const float* x, const float* weight, int64_t n, float eps, float* out);
  // The same of x less its mean, plus bias (may be null).
  void (*layer_norm)(const float* x, const float* weight, const float* bias, int64_t n, float eps,
                     float* out);

  // x = x / (1 + e^-x), then times `up` where that is not null.
  void (*silu)(float* x, const float* up, int64_t n);
  // x = x (1 + tanh(0.798 (x + 0.0447 x^3))) / 2, likewise.
  void (*gelu)(float* x, const float* up, int64_t n);
  // x = cap tanh(x / cap).
  void (*soft_cap)(float* x, float cap, int64_t n);

  // x += factor * y.
  void (*add)(float* x, const float* y, float factor, int64_t n);
  void (*scale)(float* x, float factor, int64_t n);

  // Turns the pairs (a[i], b[i]) by the angles whose cosines and sines are in turn in `table`.
  // Pairs lie `step` apart.
  void (*rotate)(float* a, float* b, int64_t step, const float* table, int64_t pairs);
};

// Those of the instruction set, or of the next worse one that has some.
const RowMath& find_row_math(Isa isa);

}  // namespace nibble
