#pragma once

#include <cstdint>
#include <cstring>

// Functions over rows in plain loops that every compiler makes vectors of. Sums go into eight
// places, since a compiler may not reorder them.
namespace nibble {

// e^x within 2 units in the last place for x in -87 .. 88, kept in that range outside; NaN stays.
// 2^round(x / ln 2) times a polynomial of the rest, which is at most ln 2 / 2 (Cephes' expf).
static inline float exp_of(float x) {
  const float low = x < -87.0f ? -87.0f : x;
  const float kept = low > 88.0f ? 88.0f : low;
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
  const float shifted = kept * 1.44269504f + 12582912.0f;
  const float whole = shifted - 12582912.0f;
  const float r = (kept - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits << 23) + 0x3f800000u;
  float power;
  std::memcpy(&power, &bits, sizeof(power));
  return p * power;
}

// tanh within 4e-7 of its value. Where 1 - 2 / (e^2x + 1) would lose digits stands its series.
static inline float tanh_of(float x) {
  const float square = x * x;
  const float series =
      x + x * square * (-0.333333333f + square * (0.133333333f + square * -0.0539682540f));
  const float whole = 1.0f - 2.0f / (exp_of(2.0f * x) + 1.0f);
  return square < 0.04f ? series : whole;
}

static inline float silu_of(float x) { return x / (1.0f + exp_of(-x)); }

// (1 + tanh(y)) / 2 is 1 / (1 + e^-2y).
static inline float gelu_of(float x) {
  return x / (1.0f + exp_of(-1.59576912f * (x + 0.044715f * x * x * x)));
}

constexpr int kPlaces = 8;

static inline float sum_of(const float (&places)[kPlaces]) {
  float sum = 0.0f;
  for (const float place : places) sum += place;
  return sum;
}

static inline float sum_of(const float* x, int64_t n) {
  float places[kPlaces] = {};
  int64_t i = 0;
  for (; i + kPlaces <= n; i += kPlaces) {
    for (int j = 0; j < kPlaces; ++j) places[j] += x[i + j];
  }
  for (int j = 0; i < n; ++i, ++j) places[j] += x[i];
  return sum_of(places);
}

static inline float sum_of_squares(const float* x, int64_t n) {
  float places[kPlaces] = {};
  int64_t i = 0;
  for (; i + kPlaces <= n; i += kPlaces) {
    for (int j = 0; j < kPlaces; ++j) places[j] += x[i + j] * x[i + j];
  }
  for (int j = 0; i < n; ++i, ++j) places[j] += x[i] * x[i];
  return sum_of(places);
}

static inline float largest_of(const float* x, int64_t n) {
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

// x = e^x / (sum of e^x), for n of at least 1.
static inline void softmax(float* x, int64_t n) {
  const float largest = largest_of(x, n);
  for (int64_t i = 0; i < n; ++i) x[i] = exp_of(x[i] - largest);
  const float inverse = 1.0f / sum_of(x, n);
  for (int64_t i = 0; i < n; ++i) x[i] *= inverse;
}

}  // namespace nibble
