// Values per nanosecond of every function and instruction set, rows of 4096 in cache.
#include <vector>

#include "kernels/row_math/row_math.h"
#include "testing/bench_table.h"
#include "testing/products.h"

namespace nibble {
namespace {

constexpr int64_t kLength = 4096;

template <typename Body>
void print(const char* name, const Body& body) {
  std::printf("%-12s", name);
  for (const Isa isa : kAllIsas) {
    const RowMath& math = find_row_math(isa);
    if (math.isa != isa) continue;
    const double rate = testing::best_rate(kLength * 1e-9 * 100, 50, [&] {
      for (int i = 0; i < 100; ++i) body(math);
    });
    std::printf("  %s %6.2f", isa_name(isa), rate);
  }
  std::printf("\n");
}

void run() {
  testing::Random random(1);
  const std::vector<float> from = testing::sample_row(testing::Sample::kNormal, random, kLength);
  std::vector<float> x = from;
  testing::ActivationRows act(testing::Sample::kNormal, random, 1, kLength, true);
  print("quantize_act", [&](const RowMath& math) {
    math.quantize_act(from.data(), kLength, act.codes.data(), act.scale.data(), act.code_sum.data(),
                      act.sum.data());
  });
  print("softmax", [&](const RowMath& math) { math.softmax(x.data(), kLength); });
  volatile double sum = 0;
  print("log_sum_exp", [&](const RowMath& math) { sum = math.log_sum_exp(from.data(), kLength); });
  print("rms_norm", [&](const RowMath& math) {
    math.rms_norm(from.data(), from.data(), kLength, 1e-5f, x.data());
  });
  print("layer_norm", [&](const RowMath& math) {
    math.layer_norm(from.data(), from.data(), from.data(), kLength, 1e-5f, x.data());
  });
  x = from;
  print("silu", [&](const RowMath& math) { math.silu(x.data(), from.data(), kLength); });
  x = from;
  print("gelu", [&](const RowMath& math) { math.gelu(x.data(), from.data(), kLength); });
  x = from;
  print("soft_cap", [&](const RowMath& math) { math.soft_cap(x.data(), 30.0f, kLength); });
  print("add", [&](const RowMath& math) { math.add(x.data(), from.data(), 0.5f, kLength); });
  print("scale", [&](const RowMath& math) { math.scale(x.data(), 1.0f, kLength); });
  print("rotate", [&](const RowMath& math) {
    math.rotate(x.data(), x.data() + kLength / 2, 1, from.data(), kLength / 2);
  });
  print("rotate pairs", [&](const RowMath& math) {
    math.rotate(x.data(), x.data() + 1, 2, from.data(), kLength / 2);
  });
}

}  // namespace
}  // namespace nibble

int main() { nibble::run(); }
