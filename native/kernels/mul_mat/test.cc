// Every kernel of the family against the product in double precision.
#include <cstdio>
#include <cstdlib>

#include "base/aligned_buffer.h"
#include "kernels/mul_mat/mul_mat.h"
#include "kernels/simd/generic.h"
#include "kernels/unpack/unpacks.h"
#include "testing/products.h"

namespace nibble {
namespace {

using testing::ActivationRows;
using testing::Random;
using testing::Sample;
using testing::WeightRows;

struct Shape {
  int64_t rows;    // of weights
  int64_t acts;    // rows of activations
  int64_t blocks;  // of 256 values (of 131 where the type has no blocks)
};

// Panels that are full, begun and exceeded by one; tiles of activations of all sizes, whose last
// one may go over rows of the one before; floats of more than a stretch.
constexpr Shape kShapes[] = {{1, 1, 1}, {31, 2, 1}, {32, 6, 2}, {33, 7, 1}, {65, 13, 1},
                             {9, 5, 1}, {8, 8, 1},  {2, 9, 2},  {3, 10, 2}, {4, 11, 2}};
// vec_dot is tried with all samples, on the same codes.
constexpr Sample kSamples[] = {Sample::kNormal, Sample::kOneOutlier, Sample::kMirrored};

// The kernel's sums in rows of `stride`.
std::vector<float> product(MulMat kernel, const WeightRows& weights, const ActivationRows& x,
                           int64_t stride) {
  std::vector<float> out(static_cast<size_t>(x.rows * stride), 42.0f);
  AlignedBuffer memory;
  void* panel = memory.reserve<uint8_t>(panel_bytes(x.n));
  kernel(weights.blocks.data(), weights.row_bytes, weights.rows, x.view(), out.data(), stride,
         panel);
  return out;
}

void test_product(const Format& format, Isa isa, const WeightRows& weights,
                  const ActivationRows& x) {
  Isa used;
  const MulMat kernel = find_mul_mat(format, isa, &used);
  CHECK(kernel != nullptr && (used == isa || is_partial(isa)), format.name,
        static_cast<int64_t>(isa));
  const int64_t stride = weights.rows + 3;
  const std::vector<float> out = product(kernel, weights, x, stride);
  for (int64_t a = 0; a < x.rows; ++a) {
    const float* row = out.data() + a * stride;
    for (int64_t r = 0; r < weights.rows; ++r)
      CHECK(is_product(weights, r, x, a, row[r]), format.name, r);
    for (int64_t r = weights.rows; r < stride; ++r) CHECK(row[r] == 42.0f, format.name, r);
  }
}

// Weights are quantized once for all instruction sets: that takes longest.
void test_products(const Format& format) {
  Random random(format.id + 5);
  const bool quantized = takes_codes(format);
  for (const Sample sample : kSamples) {
    for (const Shape& shape : kShapes) {
      const int64_t n = shape.blocks * (quantized ? 256 : 131);
      const WeightRows weights(format, sample, random, shape.rows, n);
      ActivationRows x(Sample::kUniform, random, shape.acts, n, quantized);
      if (format.id == kIdBF16) round_to_bf16(&x);
      for (const Isa isa : kRuntimeIsas) {
        if (isa_supported(isa)) test_product(format, isa, weights, x);
      }
    }
  }
}

// Where activations are rounded, that is all that is done to them.
void test_rounding() {
  if (!isa_supported(Isa::kX86Avx512Bf16)) return;
  const Format& format = *find_format(kIdBF16);
  const MulMat kernel = find_mul_mat(format, Isa::kX86Avx512Bf16);
  Random random(3);
  const WeightRows weights(format, Sample::kNormal, random, 33, 131);
  ActivationRows x(Sample::kTies, random, 7, 131, false);
  for (float& value : x.f32) value += random.bits() % 2 == 0 ? random.unit() : 128.0f;
  const std::vector<float> out = product(kernel, weights, x, 33);
  round_to_bf16(&x);
  CHECK(out == product(kernel, weights, x, 33), "BF16", x.n);
}

// That no code of any block is beyond kMost: sums of 16 bits rely on it.
template <typename U>
void test_codes(const char* name) {
  Random random(11);
  for (int round = 0; round < 64; ++round) {
    typename U::Block block;
    auto* bytes = reinterpret_cast<uint8_t*>(&block);
    for (size_t i = 0; i < sizeof(block); ++i) bytes[i] = static_cast<uint8_t>(random.bits());
    Generic::Bytes codes[kRegistersOf<U>];
    float scale[kGroupsOf<U>];
    float min[kGroupsOf<U>];
    U::template unpack<Generic>(block, codes, scale, min);
    for (const Generic::Bytes& some : codes) {
      for (const uint8_t byte : some.lane) {
        const int code = U::kSigned ? static_cast<int8_t>(byte) : byte;
        CHECK(std::abs(code) <= U::kMost, name, code);
      }
    }
  }
}

void run() {
#define NIBBLE_UNPACK(type) test_codes<Unpack##type>(#type);
#include "kernels/unpack/unpacks.inc"
#undef NIBBLE_UNPACK
  test_rounding();
  size_t count;
  const Format* rows = formats(&count);
  for (const Isa isa : kRuntimeIsas) {
    if (!isa_supported(isa)) std::printf("skipped %s: not on this machine\n", isa_name(isa));
  }
  for (size_t i = 0; i < count; ++i) {
    if (rows[i].has_codec()) test_products(rows[i]);
  }
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
