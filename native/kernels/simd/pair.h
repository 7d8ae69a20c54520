#pragma once

// Two registers of V as one of twice the width: sums that have to run in order wait for the adder,
// and two of them side by side wait half as long.
namespace nibble {
namespace {

template <typename V>
struct Pair {
  static constexpr int kWidth = 2 * V::kWidth;
  struct F32 {
    typename V::F32 low;
    typename V::F32 high;
  };
  struct Mask {
    typename V::Mask low;
    typename V::Mask high;
  };

  static F32 load(const float* p) { return {V::load(p), V::load(p + V::kWidth)}; }
  static void store(float* p, F32 v) {
    V::store(p, v.low);
    V::store(p + V::kWidth, v.high);
  }
  static F32 set1(float x) { return {V::set1(x), V::set1(x)}; }
  static F32 add(F32 a, F32 b) { return {V::add(a.low, b.low), V::add(a.high, b.high)}; }
  static F32 sub(F32 a, F32 b) { return {V::sub(a.low, b.low), V::sub(a.high, b.high)}; }
  static F32 mul(F32 a, F32 b) { return {V::mul(a.low, b.low), V::mul(a.high, b.high)}; }
  static F32 div(F32 a, F32 b) { return {V::div(a.low, b.low), V::div(a.high, b.high)}; }
  static F32 min(F32 a, F32 b) { return {V::min(a.low, b.low), V::min(a.high, b.high)}; }
  static F32 max(F32 a, F32 b) { return {V::max(a.low, b.low), V::max(a.high, b.high)}; }
  static F32 sqrt(F32 a) { return {V::sqrt(a.low), V::sqrt(a.high)}; }
  static F32 abs(F32 a) { return {V::abs(a.low), V::abs(a.high)}; }
  static F32 round(F32 a) { return {V::round(a.low), V::round(a.high)}; }
  static F32 nearest(F32 a, int low, int high) {
    return {V::nearest(a.low, low, high), V::nearest(a.high, low, high)};
  }
  static Mask gt(F32 a, F32 b) { return {V::gt(a.low, b.low), V::gt(a.high, b.high)}; }
  static Mask equal(F32 a, F32 b) { return {V::equal(a.low, b.low), V::equal(a.high, b.high)}; }
  static Mask both(Mask a, Mask b) { return {V::both(a.low, b.low), V::both(a.high, b.high)}; }
  // In every lane.
  static bool holds(Mask mask) { return V::holds(V::both(mask.low, mask.high)); }
  static F32 blend(F32 a, F32 b, Mask mask) {
    return {V::blend(a.low, b.low, mask.low), V::blend(a.high, b.high, mask.high)};
  }
  static void transpose4(const float* from, int stride, float* to, int to_stride) {
    V::transpose4(from, stride, to, to_stride);
  }
};

}  // namespace
}  // namespace nibble
