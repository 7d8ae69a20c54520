#include "kernels/peak/isa_tables.h"
#include "kernels/peak/loops.h"

namespace nibble {
namespace {

constexpr int kLanes = 8;

template <typename T>
struct Lanes {
  T lane[kLanes];
};

struct Bytes {
  using Sum = Lanes<int32_t>;
  static constexpr double kOperations = 2 * kLanes;
  static Sum zero(int i) {
    Sum sum = {};
    sum.lane[0] = i;
    return sum;
  }
  static Sum add(Sum sum, int i) {
    for (int32_t& lane : sum.lane) {
      const auto code = static_cast<int8_t>(lane + i);
      lane = static_cast<int32_t>(static_cast<uint32_t>(lane) + static_cast<uint32_t>(code * 3));
    }
    return sum;
  }
  static float reduce(Sum sum) {
    float total = 0.0f;
    for (const int32_t lane : sum.lane) total += static_cast<float>(lane);
    return total;
  }
};

struct Floats {
  using Sum = Lanes<float>;
  static constexpr double kOperations = 2 * kLanes;
  static Sum zero(int i) {
    Sum sum = {};
    sum.lane[0] = static_cast<float>(i);
    return sum;
  }
  static Sum add(Sum sum, int i) {
    for (float& lane : sum.lane) lane = lane * 0.5f + static_cast<float>(1 + i % 2);
    return sum;
  }
  static float reduce(Sum sum) {
    float total = 0.0f;
    for (const float lane : sum.lane) total += lane;
    return total;
  }
};

}  // namespace

extern constexpr PeakLoops kPeak_generic = {Isa::kGeneric, run_loop<Bytes, 8>, run_loop<Floats, 8>};

}  // namespace nibble
