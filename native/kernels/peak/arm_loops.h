#pragma once

#include <arm_neon.h>

#include "kernels/peak/loops.h"

namespace nibble {
namespace {

struct FloatsNeon {
  using Sum = float32x4_t;
  static constexpr double kOperations = 2 * 4;
  static Sum zero(int i) { return vdupq_n_f32(static_cast<float>(i)); }
  static Sum add(Sum sum, int i) {
    return vfmaq_f32(sum, vdupq_n_f32(0.5f), vdupq_n_f32(static_cast<float>(1 + i % 2)));
  }
  static float reduce(Sum sum) { return vaddvq_f32(sum); }
};

}  // namespace
}  // namespace nibble
