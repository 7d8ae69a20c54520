// Every kernel of the family against the scalar reference, bit by bit.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "kernels/dequantize_row/dequantize_row.h"
#include "kernels/dequantize_row/isa_tables.h"
#include "testing/check.h"
#include "testing/kernel_tables.h"

namespace nibble {
namespace {

using testing::Random;

// The same value: the same bits, or both NaN (whose payload is nobody's promise).
bool same_values(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (bits_of(a[i]) != bits_of(b[i]) && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  }
  return true;
}

void test_any_bytes(const Format& format, Isa isa) {
  Isa used;
  const DequantizeRow kernel = find_dequantize_row(format, isa, &used);
  CHECK(used == isa || !testing::has_kernel(kDequantizeRowTables, format), format.name,
        static_cast<int64_t>(isa));
  Random random(format.id + 7);
  for (int repeat = 0; repeat < 400; ++repeat) {
    const int64_t blocks = repeat % 5 + 1;
    const int64_t n = blocks * format.values_per_block * (format.values_per_block == 1 ? 19 : 1);
    std::vector<uint8_t> bytes(static_cast<size_t>(format.bytes(n)));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.bits());
    // A guard of 8 values shows what is written beyond the end.
    std::vector<float> expected(static_cast<size_t>(n) + 8, 42.0f);
    std::vector<float> actual(static_cast<size_t>(n) + 8, 42.0f);
    format.dequantize_row(bytes.data(), expected.data(), n);
    kernel(bytes.data(), actual.data(), n);
    CHECK(same_values(expected, actual), format.name, repeat);
  }
}

// Every half there is, by its definition: (-1)^sign * 2^(exponent - 15) * 1.mantissa.
void test_halves() {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const int mantissa = static_cast<int>(bits & 1023);
    if (exponent == 31) continue;
    const double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    const float value = f16_to_f32(half);
    CHECK(value == (bits >> 15 ? -magnitude : magnitude), "f16_to_f32", bits);
    CHECK(f32_to_f16(value) == half, "f32_to_f16 of a half", bits);
    if (exponent == 30 && mantissa == 1023) continue;
    // Halfway to the next larger magnitude goes to the even one; a little more goes up, a little
    // less down.
    const float next = f16_to_f32(static_cast<uint16_t>(half + 1));
    const float middle = (value + next) / 2.0f;
    CHECK(f32_to_f16(middle) == (mantissa % 2 == 0 ? half : half + 1), "f32_to_f16 of a tie", bits);
    CHECK(f32_to_f16(std::nextafter(middle, next)) == half + 1, "f32_to_f16 above a tie", bits);
    CHECK(f32_to_f16(std::nextafter(middle, value)) == half, "f32_to_f16 below a tie", bits);
  }
  CHECK(f32_to_f16(65519.99f) == 0x7bff, "f32_to_f16", 65519);
  CHECK(f32_to_f16(65520.0f) == 0x7c00, "f32_to_f16", 65520);
  CHECK(f32_to_f16(-3e38f) == 0xfc00, "f32_to_f16", -3);
  CHECK(f32_to_f16(-1e-30f) == 0x8000, "f32_to_f16", 0);
}

void run() {
  size_t count;
  const Format* rows = formats(&count);
  for (const Isa isa : kFileIsas) {
    if (!isa_supported(isa)) {
      std::printf("skipped %s: not on this machine\n", isa_name(isa));
      continue;
    }
    for (size_t i = 0; i < count; ++i) {
      if (rows[i].has_codec()) test_any_bytes(rows[i], isa);
    }
  }
  test_halves();
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
