#pragma once

#include <type_traits>
#include <utility>

// Loops that are no loops in the program: what their bodies keep in arrays stays in registers.
// Anonymous: see x86_avx2.h.
namespace nibble {
namespace {

template <typename Body, int... k>
inline void call_each(const Body& body, std::integer_sequence<int, k...>) {
  (body(std::integral_constant<int, k>()), ...);
}

// body(0) .. body(kCount - 1), the index being a constant.
template <int kCount, typename Body>
inline void unrolled(const Body& body) {
  call_each(body, std::make_integer_sequence<int, kCount>());
}

}  // namespace
}  // namespace nibble
