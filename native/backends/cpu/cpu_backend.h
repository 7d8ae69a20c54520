#pragma once

#include <memory>

#include "backends/backend.h"

namespace nibble {

// Computes on `threads` threads of this machine, with the instruction set in use (isa_in_use).
// One caller at a time.
std::unique_ptr<Backend> make_cpu_backend(int threads);

}  // namespace nibble
