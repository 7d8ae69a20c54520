#pragma once

#include "kernels/dispatch.h"

namespace nibble::testing {

// Whether any instruction set has a kernel of its own for the format; then all of them have to.
template <typename Kernel, size_t n>
bool has_kernel(const KernelTable<Kernel>* const (&tables)[n], const Format& format) {
  for (const KernelTable<Kernel>* table : tables) {
    for (size_t i = 0; table != nullptr && i < table->count; ++i) {
      if (table->rows[i].format == format.id) return true;
    }
  }
  return false;
}

}  // namespace nibble::testing
