// Every kernel of the family against the scalar reference, byte by byte.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <vector>

#include "kernels/quantize_row/isa_tables.h"
#include "kernels/quantize_row/quantize_row.h"
#include "testing/check.h"
#include "testing/kernel_tables.h"
#include "testing/quantize_evenly.h"
#include "testing/samples.h"

namespace nibble {
namespace {

using testing::Random;
using testing::Sample;

// Blocks in a row: odd numbers, so that no kernel can count on pairs.
constexpr int64_t kBlockCounts[] = {1, 3, 7};

// Of small blocks kernels take up to 32 at once, and the last row has more.
int64_t values_of(const Format& format, int64_t blocks) {
  const int64_t n = blocks * format.values_per_block;
  if (format.values_per_block == 1) return 37 * n;
  return blocks == 7 && format.values_per_block < 256 ? 9 * n : n;
}

// Rows of each kind and length. Those of super-blocks have more values, and searching them takes
// time, with an emulator or a sanitizer most of all.
int repeats_of(const Format& format) { return format.values_per_block == 256 ? 2 : 8; }

void test_equal_bytes(const Format& format, Isa isa) {
  Isa used;
  const QuantizeRow kernel = find_quantize_row(format, isa, &used);
  CHECK(used == isa || !testing::has_kernel(kQuantizeRowTables, format), format.name,
        static_cast<int64_t>(isa));
  Random random(format.id + 1);
  for (const Sample sample : testing::kAllSamples) {
    for (const int64_t blocks : kBlockCounts) {
      for (int repeat = 0; repeat < repeats_of(format); ++repeat) {
        const int64_t n = values_of(format, blocks);
        const std::vector<float> x = testing::sample_row(sample, random, n);
        const size_t bytes = static_cast<size_t>(format.bytes(n));
        // A guard of 64 bytes shows what is written beyond the end.
        std::vector<uint8_t> expected(bytes + 64, 0xa5);
        std::vector<uint8_t> actual(bytes + 64, 0xa5);
        format.quantize_row(x.data(), expected.data(), n);
        kernel(x.data(), actual.data(), n);
        CHECK(expected == actual, format.name,
              static_cast<int64_t>(sample) * 1000 + blocks * 10 + repeat);
      }
    }
  }
}

// A row whose values are of another kind, and far larger or smaller, every 16: kernels that take
// many groups at once have all fates side by side.
std::vector<float> mixed_row(Random& random, int64_t n) {
  std::vector<float> row;
  while (row.size() < static_cast<size_t>(n)) {
    const Sample sample = testing::kAllSamples[random.bits() % std::size(testing::kAllSamples)];
    const float scale = std::ldexp(1.0f, static_cast<int>(random.bits() % 64) - 63);
    for (float x : testing::sample_row(sample, random, 16)) row.push_back(x * scale);
  }
  row.resize(static_cast<size_t>(n));
  return row;
}

// A row's importances: as they come, columns that the text never used, and none that it did.
enum class Importance { kAny, kGaps, kNone };

std::vector<float> importance_row(Importance kind, Random& random, int64_t n) {
  std::vector<float> row(static_cast<size_t>(n), 0.0f);
  for (float& x : row) {
    const bool gap =
        kind == Importance::kNone || (kind == Importance::kGaps && random.bits() % 4 != 0);
    if (!gap) x = random.unit() * random.unit();
  }
  return row;
}

void test_equal_weighted_bytes(const Format& format, Isa isa) {
  Isa used;
  const QuantizeWeighted kernel = find_quantize_weighted(format, isa, &used);
  CHECK(used == isa || !testing::has_kernel(kQuantizeWeightedTables, format), format.name,
        static_cast<int64_t>(isa));
  if (used == Isa::kGeneric) return;
  Random random(format.id + 5);
  for (const Sample sample : testing::kAllSamples) {
    for (const Importance kind : {Importance::kAny, Importance::kGaps, Importance::kNone}) {
      for (const int64_t blocks : kBlockCounts) {
        const int64_t n = values_of(format, blocks);
        const std::vector<float> x = testing::sample_row(sample, random, n);
        const std::vector<float> importance = importance_row(kind, random, n);
        const size_t bytes = static_cast<size_t>(format.bytes(n));
        std::vector<uint8_t> expected(bytes + 64, 0xa5);
        std::vector<uint8_t> actual(bytes + 64, 0xa5);
        format.quantize_weighted(x.data(), importance.data(), expected.data(), n);
        kernel(x.data(), importance.data(), actual.data(), n);
        CHECK(expected == actual, format.name,
              static_cast<int64_t>(sample) * 1000 + blocks * 10 + static_cast<int64_t>(kind));
      }
    }
  }
}

void test_mixed_rows(const Format& format, Isa isa) {
  Random random(format.id + 17);
  const int64_t n = values_of(format, 7);
  const size_t bytes = static_cast<size_t>(format.bytes(n));
  Isa used;
  const QuantizeRow plain = find_quantize_row(format, isa, &used);
  const bool has_plain = format.quantize_row != nullptr && used != Isa::kGeneric;
  const QuantizeWeighted weighted = find_quantize_weighted(format, isa, &used);
  const bool has_weighted = format.quantize_weighted != nullptr && used != Isa::kGeneric;
  for (int repeat = 0; repeat < 40; ++repeat) {
    const std::vector<float> x = mixed_row(random, n);
    std::vector<uint8_t> expected(bytes);
    std::vector<uint8_t> actual(bytes);
    if (has_plain) {
      format.quantize_row(x.data(), expected.data(), n);
      plain(x.data(), actual.data(), n);
      CHECK(expected == actual, format.name, repeat);
    }
    if (!has_weighted) continue;
    const std::vector<float> importance =
        importance_row(repeat % 2 == 0 ? Importance::kAny : Importance::kGaps, random, n);
    format.quantize_weighted(x.data(), importance.data(), expected.data(), n);
    weighted(x.data(), importance.data(), actual.data(), n);
    CHECK(expected == actual, format.name, repeat);
  }
}

// Blocks are valid and values finite whatever the importances are, and nothing is written beyond.
void test_weighted(const Format& format) {
  Random random(format.id + 11);
  const int64_t n = format.values_per_block * 6;
  const size_t bytes = static_cast<size_t>(format.bytes(n));
  for (const Sample sample : testing::kAllSamples) {
    // These have values whose scale no f16 holds.
    if (sample == Sample::kAnyFinite || sample == Sample::kHuge || sample == Sample::kSmall) {
      continue;
    }
    for (const Importance kind : {Importance::kAny, Importance::kGaps, Importance::kNone}) {
      const std::vector<float> x = testing::sample_row(sample, random, n);
      const std::vector<float> importance = importance_row(kind, random, n);
      std::vector<uint8_t> blocks(bytes + 64, 0xa5);
      format.quantize_weighted(x.data(), importance.data(), blocks.data(), n);
      CHECK(format.count_invalid(blocks.data(), n) == 0, format.name, static_cast<int64_t>(kind));
      for (size_t i = bytes; i < blocks.size(); ++i) CHECK(blocks[i] == 0xa5, format.name, 0);
      std::vector<float> y(x.size());
      format.dequantize_row(blocks.data(), y.data(), n);
      for (const float value : y)
        CHECK(std::isfinite(value), format.name, static_cast<int64_t>(sample));
    }
  }
}

// What is not finite never comes this far in a file, but no kernel may crash or hang on it.
void test_survives_non_finite(const Format& format, Isa isa) {
  std::vector<float> x(static_cast<size_t>(format.values_per_block * 4), 0.5f);
  const float bad[] = {NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < x.size(); i += 3) x[i] = bad[i % 9 / 3];
  const auto n = static_cast<int64_t>(x.size());
  std::vector<uint8_t> blocks(static_cast<size_t>(format.bytes(n)));
  if (format.quantize_row != nullptr) find_quantize_row(format, isa)(x.data(), blocks.data(), n);
  if (format.quantize_weighted != nullptr) {
    const std::vector<float> ones(x.size(), 1.0f);
    find_quantize_weighted(format, isa)(x.data(), ones.data(), blocks.data(), n);
  }
  CHECK(!blocks.empty(), format.name, 0);
}

// Under a d of 2^-128 its inverse is infinite: upstream's codes are 0 then, by way of x86's
// conversion.
void test_tiny_scales() {
  std::vector<float> x(32, 0.0f);
  x[3] = -1e-39f;
  x[4] = 1e-40f;
  uint8_t blocks[18];
  find_format(kIdQ4_0)->quantize_row(x.data(), blocks, 32);
  for (int j = 0; j < 16; ++j) CHECK(blocks[2 + j] == 0, "Q4_0", j);
}

// How far a value of magnitude up to 1 may be off. With most types no step is larger than 1/8
// (Q4_0), and a value is at most one step off.
struct WorstError {
  uint32_t format;
  float error;
};
constexpr float kOneStep = 0.126f;
constexpr WorstError kCoarser[] = {
    // Their steps, 2/3 and 1/4, also stretch when scales are fitted and rounded.
    {kIdQ2_K, 0.7f},
    {kIdQ3_K, 0.3f},
    {kIdTQ1_0, 0.501f},
    {kIdTQ2_0, 0.501f},
    {kIdQ2_0, 0.501f},   // half of d
    {kIdQ1_0, 0.6f},     // zeros become the mean magnitude, ones too
    {kIdMXFP4, 0.251f},  // up to 8 are cut to 6, and 5 becomes 4
    {kIdNVFP4, 0.178f},  // 5 becomes 4, and a scale may be 1/16 off
    // A codebook may have no point nearby; with those of three levels even a sign may be wrong.
    {kIdIQ3_S, 0.5f},
    {kIdIQ3_XXS, 0.7f},
    {kIdIQ2_S, 0.8f},
    {kIdIQ2_XS, 0.8f},
    {kIdIQ2_XXS, 0.8f},
    {kIdIQ1_S, 1.4f},
    {kIdIQ1_M, 1.4f},
};

float worst_error(uint32_t format) {
  for (const WorstError& row : kCoarser) {
    if (row.format == format) return row.error;
  }
  return kOneStep;
}

void test_round_trip(const Format& format) {
  Random random(99);
  const int64_t n = format.values_per_block * 64;
  const std::vector<float> x = testing::sample_row(Sample::kUniform, random, n);
  std::vector<uint8_t> blocks(static_cast<size_t>(format.bytes(n)));
  std::vector<float> y(x.size());
  testing::quantize_evenly(format, x.data(), blocks.data(), n);
  format.dequantize_row(blocks.data(), y.data(), n);
  float worst = 0.0f;
  for (size_t i = 0; i < x.size(); ++i) worst = std::fmax(worst, std::fabs(x[i] - y[i]));
  CHECK(worst <= worst_error(format.id), format.name, static_cast<int64_t>(worst * 1e6f));
  CHECK(format.count_invalid(blocks.data(), n) == 0, format.name, 0);
  std::vector<float> zeros(x.size(), 0.0f);
  testing::quantize_evenly(format, zeros.data(), blocks.data(), n);
  format.dequantize_row(blocks.data(), y.data(), n);
  CHECK(y == zeros, format.name, 0);
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
      if (rows[i].quantize_weighted != nullptr) test_equal_weighted_bytes(rows[i], isa);
      test_mixed_rows(rows[i], isa);
      if (rows[i].quantize_row != nullptr) test_equal_bytes(rows[i], isa);
      if (rows[i].has_codec()) test_survives_non_finite(rows[i], isa);
    }
  }
  test_tiny_scales();
  for (size_t i = 0; i < count; ++i) {
    if (rows[i].has_codec()) test_round_trip(rows[i]);
    if (rows[i].quantize_weighted != nullptr) test_weighted(rows[i]);
  }
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
