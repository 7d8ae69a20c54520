#pragma once

#include <cmath>
#include <cstdio>
#include <vector>

namespace nibble::testing {

// Values that have to come out, each with its tolerance. NaN asks for NaN.
struct Expected {
  std::vector<double> values;
  std::vector<double> tolerances;

  void push(double value, double tolerance) {
    values.push_back(value);
    tolerances.push_back(tolerance);
  }

  // Prints the first value that is not as expected.
  bool holds(const std::vector<float>& out) const {
    for (size_t i = 0; i < values.size(); ++i) {
      const bool is_near = std::isnan(values[i]) ? std::isnan(out[i])
                                                 : std::fabs(out[i] - values[i]) <= tolerances[i];
      if (is_near) continue;
      std::printf("value %zu is %g, not %g (tolerance %g)\n", i, static_cast<double>(out[i]),
                  values[i], tolerances[i]);
      return false;
    }
    return true;
  }
};

}  // namespace nibble::testing
