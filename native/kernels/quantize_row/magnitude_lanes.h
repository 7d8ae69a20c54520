#pragma once

namespace nibble {
namespace {

// largest_magnitude of kCount values (formats/magnitude.h).
template <typename V, int kCount>
float magnitude_of(const float* x) {
  typename V::F32 amax = V::abs(V::load(x));
  for (int j = V::kWidth; j < kCount; j += V::kWidth) amax = V::max(amax, V::abs(V::load(x + j)));
  return V::reduce_max(amax);
}

}  // namespace
}  // namespace nibble
