#pragma once

#include <cstdint>

#include "kernels/arch.h"

// What a core can compute at most: loops of nothing but multiplications and additions, in
// registers. The limit that shares in benches are shares of.
namespace nibble {

struct PeakLoops {
  Isa isa;
  // Each runs `rounds` rounds and returns the number of operations, a multiplication and an
  // addition being two. `*result` takes what was computed, so that nothing is left out.
  double (*int8)(int64_t rounds, float* result);  // products of bytes, summed in 32 bits
  double (*f32)(int64_t rounds, float* result);
};

// Those of the instruction set, or of the next worse one that has some.
const PeakLoops& find_peak(Isa isa);

}  // namespace nibble
