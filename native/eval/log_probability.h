#pragma once

#include <cstdint>
#include <vector>

#include "model/context.h"

namespace nibble {

// Natural logarithm of the probability that the model gave to targets[i] after kept token
// first + i. Logits are made some rows at a time, so that memory does not grow with the count.
std::vector<double> log_probabilities(Context& context, int64_t first,
                                      const std::vector<int32_t>& targets, const Job& job);

}  // namespace nibble
