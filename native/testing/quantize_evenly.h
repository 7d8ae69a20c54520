#pragma once

#include <vector>

#include "formats/formats.h"

namespace nibble::testing {

// With importance 1 for all values where the type cannot do without.
inline void quantize_evenly(const Format& format, const float* x, void* blocks, int64_t n) {
  if (format.quantize_row != nullptr) {
    format.quantize_row(x, blocks, n);
    return;
  }
  const std::vector<float> ones(static_cast<size_t>(n), 1.0f);
  format.quantize_weighted(x, ones.data(), blocks, n);
}

}  // namespace nibble::testing
