#pragma once

#include <cstdint>

#include "base/half.h"
#include "formats/formats.h"

// How values of the types without blocks are loaded, kWidth at a time and one by one. Anonymous:
// see unpack.h.
namespace nibble {
namespace {

template <typename V>
struct LoadF32 {
  using Value = float;
  static typename V::F32 lanes(const Value* p) { return V::load(p); }
  static float one(Value x) { return x; }
};

template <typename V>
struct LoadF16 {
  using Value = uint16_t;
  static typename V::F32 lanes(const Value* p) { return V::from_f16(p); }
  static float one(Value x) { return f16_to_f32(x); }
};

template <typename V>
struct LoadBF16 {
  using Value = uint16_t;
  static typename V::F32 lanes(const Value* p) { return V::from_bf16(p); }
  static float one(Value x) { return bf16_to_f32(x); }
};

}  // namespace
}  // namespace nibble
