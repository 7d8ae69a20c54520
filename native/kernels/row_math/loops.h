#pragma once

#include <cmath>

#include "kernels/row_math/functions.h"
#include "kernels/row_math/row_math.h"

// The family as plain loops, which every compiler makes vectors of as wide as the file's flags let
// it. Sums go into places of their own, since a compiler may not reorder them. Anonymous: every
// file of an instruction set compiles its own copy.
namespace nibble {
namespace {

// Enough for two registers of any instruction set.
constexpr int kPlaces = 32;

float sum_of(const float (&places)[kPlaces]) {
  float eight[8] = {};
  for (int i = 0; i < kPlaces; ++i) eight[i % 8] += places[i];
  return ((eight[0] + eight[1]) + (eight[2] + eight[3])) +
         ((eight[4] + eight[5]) + (eight[6] + eight[7]));
}

// The sum of function(x[i]).
template <typename Function>
float sum_each(const float* x, int64_t n, const Function& function) {
  float places[kPlaces] = {};
  int64_t i = 0;
  for (; i + kPlaces <= n; i += kPlaces) {
    for (int j = 0; j < kPlaces; ++j) places[j] += function(x[i + j]);
  }
  for (int j = 0; i < n; ++i, ++j) places[j] += function(x[i]);
  return sum_of(places);
}

float largest_of(const float* x, int64_t n) {
  float places[kPlaces];
  for (float& place : places) place = x[0];
  int64_t i = 0;
  for (; i + kPlaces <= n; i += kPlaces) {
    for (int j = 0; j < kPlaces; ++j) places[j] = x[i + j] > places[j] ? x[i + j] : places[j];
  }
  for (; i < n; ++i) places[0] = x[i] > places[0] ? x[i] : places[0];
  float largest = places[0];
  for (const float place : places) largest = place > largest ? place : largest;
  return largest;
}

void softmax(float* x, int64_t n) {
  const float largest = largest_of(x, n);
  for (int64_t i = 0; i < n; ++i) x[i] = exp_of(x[i] - largest);
  const float inverse = 1.0f / sum_each(x, n, [](float value) { return value; });
  for (int64_t i = 0; i < n; ++i) x[i] *= inverse;
}

double log_sum_exp(const float* x, int64_t n) {
  constexpr int kSums = 16;
  const double largest = static_cast<double>(largest_of(x, n));
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int j = 0; j < kSums; ++j)
      sums[j] += exact_exp_of(static_cast<double>(x[i + j]) - largest);
  }
  for (int j = 0; i < n; ++i, ++j) sums[j] += exact_exp_of(static_cast<double>(x[i]) - largest);
  double sum = 0;
  for (const double each : sums) sum += each;
  return largest + std::log(sum);
}

float inverse_size(const float* x, int64_t n, float eps) {
  const float squares = sum_each(x, n, [](float value) { return value * value; });
  return 1.0f / std::sqrt(squares / static_cast<float>(n) + eps);
}

void rms_norm(const float* x, const float* weight, int64_t n, float eps, float* out) {
  const float scale = inverse_size(x, n, eps);
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * scale * weight[i];
}

void layer_norm(const float* x, const float* weight, const float* bias, int64_t n, float eps,
                float* out) {
  const float mean = sum_each(x, n, [](float value) { return value; }) / static_cast<float>(n);
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] - mean;
  const float scale = inverse_size(out, n, eps);
  if (bias == nullptr) {
    for (int64_t i = 0; i < n; ++i) out[i] = out[i] * scale * weight[i];
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = out[i] * scale * weight[i] + bias[i];
  }
}

// Function: a type of its own for each, so that compilers make vectors of the loop.
template <typename Function>
void each_gated(float* x, const float* up, int64_t n, const Function& function) {
  if (up == nullptr) {
    for (int64_t i = 0; i < n; ++i) x[i] = function(x[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) x[i] = function(x[i]) * up[i];
  }
}

void silu(float* x, const float* up, int64_t n) {
  each_gated(x, up, n, [](float value) { return silu_of(value); });
}

void gelu(float* x, const float* up, int64_t n) {
  each_gated(x, up, n, [](float value) { return gelu_of(value); });
}

void soft_cap(float* x, float cap, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = cap * tanh_of(x[i] / cap);
}

void add(float* x, const float* y, float factor, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] += factor * y[i];
}

void scale(float* x, float factor, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

void rotate(float* a, float* b, int64_t step, const float* table, int64_t pairs) {
  const auto turn = [table](float& first, float& second, int64_t i) {
    const float turned = first * table[2 * i] - second * table[2 * i + 1];
    second = second * table[2 * i] + first * table[2 * i + 1];
    first = turned;
  };
  if (step == 1) {
    for (int64_t i = 0; i < pairs; ++i) turn(a[i], b[i], i);
  } else {
    for (int64_t i = 0; i < pairs; ++i) turn(a[i * step], b[i * step], i);
  }
}

// quantize_act is the instruction set's own.
constexpr RowMath row_math_of(Isa isa, decltype(RowMath::quantize_act) quantize_act) {
  return {isa,  quantize_act, softmax,  log_sum_exp, rms_norm, layer_norm,
          silu, gelu,         soft_cap, add,         scale,    rotate};
}

}  // namespace
}  // namespace nibble
