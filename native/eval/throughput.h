#pragma once

#include <cstdint>

#include "base/job.h"

namespace nibble {

// Bytes per second that `threads` threads read from memory: the best of several passes over more
// than any cache holds. What a model's weights could be read with at most.
double read_bandwidth(int threads, const Job& job);

}  // namespace nibble
