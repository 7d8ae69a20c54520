#pragma once

#include <cstdint>
#include <vector>

#include "base/job.h"
#include "stream/tasks.h"

namespace nibble {

// How a tensor in the output differs from its source. Sums are in double over tiles in order, so
// that they do not depend on the number of threads. x is the source's value, y the output's.
struct ErrorStats {
  int64_t non_finite = 0;        // of y
  int64_t invalid_blocks = 0;    // of the output
  double max_abs_error = 0;      // max |x - y|
  double sum_squared_error = 0;  // sum (x - y)^2
  double sum_squares = 0;        // sum x^2

  void add(const ErrorStats& other);
};

// One row per task. Where a task has no source only the output is looked at: errors stay 0. Types
// without a codec give zeros.
std::vector<ErrorStats> compare_stream(const StreamOptions& options, Job& job);

}  // namespace nibble
