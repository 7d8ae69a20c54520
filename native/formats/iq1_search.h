#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "formats/codebook.h"
#include "formats/scale_search.h"

// How IQ1_S and IQ1_M find the points of a group: values are sorted and cut in three, which become
// -1, 0 and 1 times a scale, all shifted by an eighth up or down; then every eight of them moves to
// a point of the codebook.
namespace nibble {

// What a level stands for, shifted up and down.
constexpr float kIq1Steps[2][3] = {{-0.875f, 0.125f, 1.125f}, {-1.125f, -0.125f, 0.875f}};

// A group of kEights * 8 values.
template <int kEights>
struct Iq1Group {
  float scale;  // 0 for zeros, which have point 0, shifted up
  bool down[kEights];
  uint16_t points[kEights];
};

// The first `low` of the sorted values have level 0, those from `high` on level 2.
template <int kEights>
struct Iq1Cut {
  int low;
  int high;
  float scale;  // may be under 0
  bool down[kEights];
};

// Places of the values from the smallest up; equal ones stay in order.
template <int kCount>
static inline void sort_places(const float* x, uint8_t* places) {
  for (int i = 0; i < kCount; ++i) {
    int j = i;
    for (; j > 0 && x[places[j - 1]] > x[i]; --j) places[j] = places[j - 1];
    places[j] = static_cast<uint8_t>(i);
  }
}

template <int kCount>
static inline float largest_magnitude(const float* x) {
  float max = std::fabs(x[0]);
  for (int i = 1; i < kCount; ++i) max = max > std::fabs(x[i]) ? max : std::fabs(x[i]);
  return max;
}

// Of the points near a cell the one nearest to x / scale, the first of them. Where no distance is
// finite it is the cell's first.
static inline int nearest_iq1_point(const Codebook<8>& book, const Codebook<8>::Cell& cell,
                                    const float* x, const float* weights, float scale,
                                    const float* steps) {
  const uint16_t* candidates = book.candidates(cell);
  int nearest = candidates[0];
  float least = FLT_MAX;
  for (uint32_t j = 0; j < cell.count; ++j) {
    const uint8_t* levels = book.levels(candidates[j]);
    float sum = 0.0f;
    for (int i = 0; i < 8; ++i) {
      const float apart = scale * steps[levels[i]] - x[i];
      sum += weights[i] * apart * apart;
    }
    if (sum < least) {
      least = sum;
      nearest = candidates[j];
    }
  }
  return nearest;
}

// xq = sum w q x, qq = sum w q q over eight values on a point, q `times` its steps.
static inline void add_iq1_point(const uint8_t* levels, const float* x, const float* weights,
                                 const float* steps, float times, CodeFit* fit) {
  for (int i = 0; i < 8; ++i) {
    const float q = steps[levels[i]] * times;
    fit->xq += weights[i] * q * x[i];
    fit->qq += weights[i] * q * q;
  }
}

// The scale is found again where a point was not on the codebook.
template <int kEights>
static inline void fit_iq1_again(const Codebook<8>& book, const float* x, const float* weights,
                                 Iq1Group<kEights>* group) {
  CodeFit fit = {0.0f, 0.0f};
  for (int k = 0; k < kEights; ++k) {
    add_iq1_point(book.levels(group->points[k]), x + 8 * k, weights + 8 * k,
                  kIq1Steps[group->down[k]], 1.0f, &fit);
  }
  if (fit.xq > 0.0f && fit.qq > 0.0f) group->scale = fit.xq / fit.qq;
}

// Points for values that are cut.
template <int kEights>
Iq1Group<kEights> place_iq1(const Codebook<8>& book, const float* x, const float* weights,
                            const uint8_t* places, const Iq1Cut<kEights>& cut) {
  constexpr int kCount = 8 * kEights;
  const bool mirror = cut.scale < 0.0f;
  uint8_t levels[kCount];
  for (int j = 0; j < kCount; ++j) {
    const int level = j < cut.low ? 0 : j < cut.high ? 1 : 2;
    levels[places[j]] = static_cast<uint8_t>(mirror ? 2 - level : level);
  }
  Iq1Group<kEights> group;
  group.scale = mirror ? -cut.scale : cut.scale;
  bool moved = false;
  for (int k = 0; k < kEights; ++k) {
    group.down[k] = cut.down[k] != mirror;
    const auto& cell = book.cell(levels + 8 * k);
    moved = moved || cell.point < 0;
    group.points[k] = static_cast<uint16_t>(
        cell.point >= 0 ? cell.point
                        : nearest_iq1_point(book, cell, x + 8 * k, weights + 8 * k, group.scale,
                                            kIq1Steps[group.down[k]]));
  }
  if (moved) fit_iq1_again<kEights>(book, x, weights, &group);
  return group;
}

// The scale of a group as 2 s + 1 steps of d, s of 3 bits.
static inline int iq1_scale_code(float d, float scale) {
  return clamp_int(nearest_int(0.5f * (1.0f / d * scale - 1.0f)), 0, 7);
}

}  // namespace nibble
