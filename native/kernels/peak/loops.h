#pragma once

#include <cstdint>

#include "kernels/peak/peak.h"

// The loops as templates over the arithmetic of an instruction set. As many sums run side by side
// as the products of a kernel have, so that none waits for the one before it.
namespace nibble {
namespace {

// An Op has: Sum, zero(), add(sum, i), reduce(sum), kOperations of one add.
template <typename Op, int kSums>
double run_loop(int64_t rounds, float* result) {
  typename Op::Sum sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = Op::zero(i);
  for (int64_t round = 0; round < rounds; ++round) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 16
#endif
    for (int i = 0; i < kSums; ++i) sums[i] = Op::add(sums[i], i);
  }
  float total = 0.0f;
  for (int i = 0; i < kSums; ++i) total += Op::reduce(sums[i]);
  *result = total;
  return static_cast<double>(rounds) * kSums * Op::kOperations;
}

}  // namespace
}  // namespace nibble
