#pragma once

#include <cstdint>

#include "base/job.h"

// What this machine can do at most, measured: the limits that benches are shares of.
namespace nibble {

// A second, of all `threads` threads together; the best of several passes.
struct MachineLimits {
  double read_bytes;  // from memory, over more than any cache holds: what a model's weights could
                      // be read with
  double copy_bytes;  // in memory: bytes that are copied
  double int8_operations;  // products of bytes and their sums, an operation each; isa_in_use()'s
  double f32_operations;
};

MachineLimits measure_machine(int threads, const Job& job);

}  // namespace nibble
