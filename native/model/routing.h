#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace nibble {

// Which experts see which tokens. Rows are sorted by expert: expert e has rows begins[e] ..
// begins[e + 1], each of the token tokens[row].
struct Routing {
  std::vector<int32_t> tokens;
  std::vector<int64_t> begins;
  // [token][used]: its rows, the likeliest expert's first, and the experts' parts in its sum.
  std::vector<int32_t> places;
  std::vector<float> weights;
};

// scores: a row of config.count values for each of `rows` tokens; becomes their softmax. A token
// goes to the config.used experts of the highest scores; of equal ones to the first.
Routing route(const ExpertsConfig& config, float* scores, int64_t rows);

}  // namespace nibble
