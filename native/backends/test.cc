// Every operation of a backend against double precision, on every instruction set of this machine;
// any number of threads gives the same bits.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "backends/cpu/cpu_backend.h"
#include "testing/attention.h"
#include "testing/products.h"

namespace nibble {
namespace {

using testing::ActivationRows;
using testing::Expected;
using testing::Random;
using testing::Sample;
using testing::sample_row;
using testing::WeightRows;

constexpr int64_t kRows[] = {1, 2, 3, 4, 5, 31, 33, 513};
constexpr int64_t kWidths[] = {1, 31, 32, 256, 1000};
// More than this machine may have.
constexpr int kThreads[] = {1, 2, 3, 8};
constexpr float kUntouched = 42.0f;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Backends of one instruction set, one for each of kThreads. They serve all tests, so that their
// buffers have been used for something else before.
struct Machine {
  Isa isa;
  std::vector<std::unique_ptr<Backend>> backends;
};

void force(const char* isa) {
#ifdef _WIN32
  _putenv_s("NIBBLE_FORCE_ISA", isa);
#else
  setenv("NIBBLE_FORCE_ISA", isa, 1);
#endif
}

const std::vector<Machine>& machines() {
  static const std::vector<Machine> all = [] {
    std::vector<Machine> made;
    for (const Isa isa : kRuntimeIsas) {
      if (!isa_supported(isa)) {
        std::printf("skipped %s: not on this machine\n", isa_name(isa));
        continue;
      }
      force(isa_name(isa));
      made.push_back({isa, {}});
      for (const int threads : kThreads) made.back().backends.push_back(make_cpu_backend(threads));
    }
    return made;
  }();
  return all;
}

// run(backend, out), where out holds `before` at first, on every backend.
template <typename Run>
void on_all(const char* what, int64_t number, std::vector<float> before, const Expected& expected,
            const Run& run) {
  CHECK(before.size() == expected.values.size(), what, number);
  before.resize(before.size() + 3, kUntouched);
  for (const Machine& machine : machines()) {
    std::vector<float> first;
    for (const auto& backend : machine.backends) {
      std::vector<float> out = before;
      run(*backend, out.data());
      const bool is_first = first.empty();
      if (is_first) first = out;
      const bool same_bits = std::memcmp(out.data(), first.data(), 4 * out.size()) == 0;
      const bool inside = std::count(out.end() - 3, out.end(), kUntouched) == 3;
      const bool right = !is_first || expected.holds(out);
      CHECK(right && inside && same_bits, what, number);
      if (!right || !inside || !same_bits) std::printf("  with %s\n", isa_name(machine.isa));
    }
  }
}

std::vector<float> untouched(size_t count) { return std::vector<float>(count, kUntouched); }

// Types with a codec whose blocks rows of n values have.
std::vector<const Format*> formats_for(int64_t n) {
  size_t count;
  const Format* rows = formats(&count);
  std::vector<const Format*> fitting;
  for (size_t i = 0; i < count; ++i) {
    if (rows[i].has_codec() && n % rows[i].values_per_block == 0) fitting.push_back(&rows[i]);
  }
  return fitting;
}

Weight weight_of(const Format& format, const WeightRows& rows) {
  Weight weight;
  weight.format = &format;
  weight.data = rows.blocks.data();
  weight.n = rows.n;
  weight.rows = rows.rows;
  return weight;
}

void test_get_rows() {
  Random random(1);
  for (const int64_t n : kWidths) {
    for (const Format* format : formats_for(n)) {
      const WeightRows weights(*format, Sample::kNormal, random, 7, n);
      for (const int64_t rows : kRows) {
        std::vector<int32_t> ids(static_cast<size_t>(rows));
        Expected expected;
        for (int32_t& id : ids) {
          id = static_cast<int32_t>(random.bits() % 7);
          for (int64_t i = 0; i < n; ++i)
            expected.push(weights.values[static_cast<size_t>(id * n + i)], 0);
        }
        on_all(format->name, n, untouched(expected.values.size()), expected,
               [&](Backend& backend, float* out) {
                 backend.get_rows(weight_of(*format, weights), ids.data(), rows, out);
               });
      }
    }
  }
}

void test_norm_of(Sample sample, bool centered, bool has_bias, int64_t weight_rows, int64_t n,
                  int64_t rows) {
  Random random(static_cast<uint64_t>(n + rows));
  const std::vector<float> weight = sample_row(Sample::kUniform, random, weight_rows * n);
  const std::vector<float> bias = sample_row(Sample::kUniform, random, has_bias ? n : 0);
  const std::vector<float> x = sample_row(sample, random, rows * n);
  const Norm norm = {centered,      1e-5f,       n,
                     weight.data(), weight_rows, has_bias ? bias.data() : nullptr};
  Expected expected;
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x.data() + r * n;
    double sum = 0;
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) {
      sum += row[i];
      largest = std::max(largest, static_cast<double>(std::fabs(row[i])));
    }
    const double mean = centered ? sum / static_cast<double>(n) : 0;
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) squares += (row[i] - mean) * (row[i] - mean);
    const double root = std::sqrt(squares / static_cast<double>(n) + norm.eps);
    for (int64_t i = 0; i < n; ++i) {
      const double scale = weight[static_cast<size_t>(r % weight_rows * n + i)] / root;
      const double value = (row[i] - mean) * scale;
      const double added = has_bias ? bias[static_cast<size_t>(i)] : 0;
      // A mean is rounded, and so is what is left.
      const double lost = centered ? 1e-6 * largest * std::fabs(scale) : 0;
      expected.push(value + added, 2e-6 * (std::fabs(value) + std::fabs(added)) + lost + 1e-37);
    }
  }
  on_all(centered ? "layer norm" : "rms norm", n, untouched(x.size()), expected,
         [&](Backend& backend, float* out) { backend.norm(norm, x.data(), rows, out); });
  on_all("norm in place", n, x, expected,
         [&](Backend& backend, float* out) { backend.norm(norm, out, rows, out); });
}

void test_norm() {
  for (const Sample sample :
       {Sample::kNormal, Sample::kOneOutlier, Sample::kZeros, Sample::kSmall}) {
    for (const int64_t n : kWidths) {
      for (const int64_t rows : kRows) {
        for (const bool centered : {false, true}) test_norm_of(sample, centered, false, 1, n, rows);
        test_norm_of(sample, true, true, 1, n, rows);
        test_norm_of(sample, rows % 2 == 0, false, 3, n, rows);
      }
    }
  }
}

// A weight of a product, and its bias or none.
struct Factor {
  const Format* format;
  int64_t rows;
  bool has_bias;
};

// The outputs lie one behind the other, with a value between them that nobody writes.
void test_products(const std::vector<Factor>& factors, int64_t n, int64_t rows, Sample sample) {
  Random random(static_cast<uint64_t>(n * 1000 + rows));
  ActivationRows x(sample, random, rows, n, n % kActBlock == 0);
  std::vector<WeightRows> weights;
  std::vector<std::vector<float>> biases;
  for (const Factor& factor : factors) {
    if (factor.format->id == kIdBF16) round_to_bf16(&x);
  }
  Expected expected;
  for (const Factor& factor : factors) {
    weights.emplace_back(*factor.format, Sample::kNormal, random, factor.rows, n);
    biases.push_back(sample_row(Sample::kUniform, random, factor.has_bias ? factor.rows : 0));
    const bool codes = takes_codes(*factor.format);
    for (int64_t a = 0; a < rows; ++a) {
      for (int64_t r = 0; r < factor.rows; ++r) {
        const float* row = weights.back().values.data() + r * n;
        double sum = factor.has_bias ? biases.back()[static_cast<size_t>(r)] : 0;
        double magnitude = std::fabs(sum);
        for (int64_t k = 0; k < n; ++k) {
          const double value = codes ? x.value(a, k) : x.f32[static_cast<size_t>(a * n + k)];
          sum += row[k] * value;
          magnitude += std::fabs(row[k] * value);
        }
        expected.push(sum, 1e-5 * magnitude + 1e-37);
      }
    }
    expected.push(kUntouched, 0);
  }
  std::vector<Weight> views;
  for (size_t i = 0; i < factors.size(); ++i)
    views.push_back(weight_of(*factors[i].format, weights[i]));
  on_all(factors[0].format->name, n, untouched(expected.values.size()), expected,
         [&](Backend& backend, float* out) {
           std::vector<Product> products;
           for (size_t i = 0; i < factors.size(); ++i) {
             const float* bias = factors[i].has_bias ? biases[i].data() : nullptr;
             products.push_back({&views[i], bias, out});
             out += rows * factors[i].rows + 1;
           }
           backend.mul_mat(products, x.f32.data(), rows);
         });
}

void test_mul_mat() {
  for (const int64_t n : kWidths) {
    for (const Format* format : formats_for(n)) {
      for (const int64_t rows : kRows) {
        // A full panel, one more, and with few rows several pieces of 32 KiB.
        const int64_t most = rows < 10 ? 130 : 33;
        test_products({{format, most, rows % 2 == 0}}, n, rows, Sample::kUniform);
      }
      test_products({{format, 1, true}}, n, 1, Sample::kOneOutlier);
      test_products({{format, 32, true}}, n, 7, Sample::kZeros);
    }
  }
  const auto type = [](FormatId id) { return find_format(id); };
  for (const int64_t rows : kRows) {
    const int64_t most = rows < 10 ? 300 : 65;
    test_products(
        {{type(kIdF32), most, true}, {type(kIdQ4_0), 33, false}, {type(kIdQ6_K), 1, true}}, 512,
        rows, Sample::kUniform);
    test_products({{type(kIdQ6_K), 40, false}, {type(kIdF16), 3, true}}, 256, rows,
                  Sample::kNormal);
    test_products({{type(kIdBF16), 1, true}, {type(kIdF32), 1, true}, {type(kIdF16), 31, true}}, 33,
                  rows, Sample::kNormal);
  }
}

// Products of some rows of the input each, as those of experts.
void test_parts_of(const Format& format, int64_t n, const std::vector<int64_t>& counts) {
  Random random(static_cast<uint64_t>(n));
  int64_t rows = 0;
  for (const int64_t count : counts) rows += count;
  const ActivationRows x(Sample::kUniform, random, rows, n, n % kActBlock == 0);
  const int64_t height = 37;
  std::vector<WeightRows> weights;
  Expected expected;
  int64_t first = 0;
  for (const int64_t count : counts) {
    weights.emplace_back(format, Sample::kNormal, random, height, n);
    for (int64_t a = first; a < first + count; ++a) {
      for (int64_t r = 0; r < height; ++r) {
        double sum = 0;
        double magnitude = 0;
        for (int64_t k = 0; k < n; ++k) {
          const double value =
              takes_codes(format) ? x.value(a, k) : x.f32[static_cast<size_t>(a * n + k)];
          const double product = weights.back().values[static_cast<size_t>(r * n + k)] * value;
          sum += product;
          magnitude += std::fabs(product);
        }
        expected.push(sum, 1e-5 * magnitude + 1e-37);
      }
    }
    first += count;
  }
  std::vector<Weight> views;
  for (const WeightRows& weight : weights) views.push_back(weight_of(format, weight));
  on_all(format.name, n, untouched(expected.values.size()), expected,
         [&](Backend& backend, float* out) {
           std::vector<Product> products;
           int64_t at = 0;
           for (size_t i = 0; i < counts.size(); ++i) {
             products.push_back({&views[i], nullptr, out + at * height, at, counts[i]});
             at += counts[i];
           }
           backend.mul_mat(products, x.f32.data(), rows);
         });
}

void test_parts() {
  for (const FormatId id : {kIdF32, kIdF16, kIdQ4_0, kIdQ4_K}) {
    const Format& format = *find_format(id);
    test_parts_of(format, 256, {1});
    test_parts_of(format, 256, {1, 1, 1, 1});
    test_parts_of(format, 256, {5, 1, 3, 4, 33, 2});
  }
  test_parts_of(*find_format(kIdF32), 31, {2, 7, 1});
}

void test_rope_of(int64_t heads, int64_t head_dim, int64_t dims, bool halves, int64_t rows) {
  Random random(static_cast<uint64_t>(head_dim + rows));
  const std::vector<float> x = sample_row(Sample::kUniform, random, rows * heads * head_dim);
  const std::vector<float> table = sample_row(Sample::kUniform, random, rows * dims);
  Expected expected = {{x.begin(), x.end()}, std::vector<double>(x.size(), 0.0)};
  for (int64_t row = 0; row < rows * heads; ++row) {
    for (int64_t pair = 0; pair < dims / 2; ++pair) {
      const auto head = static_cast<size_t>(row * head_dim);
      const size_t i = head + static_cast<size_t>(halves ? pair : 2 * pair);
      const size_t j = head + static_cast<size_t>(halves ? pair + dims / 2 : 2 * pair + 1);
      const auto at = static_cast<size_t>(row / heads * dims + 2 * pair);
      const double cosine = table[at];
      const double sine = table[at + 1];
      expected.values[i] = x[i] * cosine - x[j] * sine;
      expected.values[j] = x[i] * sine + x[j] * cosine;
      expected.tolerances[i] = expected.tolerances[j] = 5e-7;
    }
  }
  on_all(halves ? "rope, halves" : "rope, neighbours", head_dim, x, expected,
         [&](Backend& backend, float* out) {
           backend.rope({dims, halves, table.data()}, heads, head_dim, out, rows);
         });
}

void test_rope() {
  for (const bool halves : {false, true}) {
    for (const int64_t head_dim : {2, 32, 48, 64, 100, 128}) {
      for (const int64_t rows : kRows) {
        test_rope_of(rows % 9 + 1, head_dim, head_dim, halves, rows);
        test_rope_of(3, head_dim, head_dim / 4 * 2, halves, rows);
      }
    }
  }
}

// From -200 to 200, and NaN.
std::vector<float> many_values(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(i % 1000 == 7 ? kNaN : static_cast<float>(i % 40001 - 20000) / 100);
  return values;
}

void test_activations(const std::vector<float>& x, const std::vector<float>& up) {
  const auto count = static_cast<int64_t>(x.size());
  for (const Activation activation : {Activation::kSilu, Activation::kGelu}) {
    Expected alone;
    Expected gated;
    for (size_t i = 0; i < x.size(); ++i) {
      const double v = x[i];
      const double y =
          activation == Activation::kSilu ? v / 2 : 0.7978845608028654 * (v + 0.044715 * v * v * v);
      const double value = v / (1.0 + std::exp(-2 * y));
      // An error of the exponent is as large as the exponent.
      const double tolerance = 1e-6 * std::fabs(value) * (1 + std::min(88.0, std::fabs(y)) / 4);
      alone.push(value, tolerance + 2e-36);
      gated.push(value * up[i], tolerance * std::fabs(up[i]) + 2e-36);
    }
    on_all("activate", count, x, alone, [&](Backend& backend, float* out) {
      backend.activate(activation, out, nullptr, count);
    });
    on_all("activate, gated", count, x, gated, [&](Backend& backend, float* out) {
      backend.activate(activation, out, up.data(), count);
    });
  }
}

// Two rows of half the values each.
void test_log_sum_exp(const std::vector<float>& x) {
  const auto n = static_cast<int64_t>(x.size() / 2);
  if (n == 0) return;
  Expected right;
  for (int64_t r = 0; r < 2; ++r) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i)
      sum += std::exp(static_cast<double>(x[static_cast<size_t>(r * n + i)]));
    right.push(std::log(sum), 1e-6 * std::fabs(std::log(sum)));
  }
  on_all("log_sum_exp", n, {0.0f, 0.0f}, right, [&](Backend& backend, float* out) {
    double ours[2];
    backend.log_sum_exp(x.data(), 2, n, ours);
    for (int r = 0; r < 2; ++r) out[r] = static_cast<float>(ours[r]);
  });
}

void test_value_by_value() {
  Random random(5);
  for (const int64_t count : {0, 1, 5, 16384, 16385, 40000}) {
    const std::vector<float> up = sample_row(Sample::kUniform, random, count);
    const std::vector<float> x = many_values(count);
    test_activations(x, up);
    Expected sum;
    Expected scaled;
    for (size_t i = 0; i < up.size(); ++i) {
      sum.push(static_cast<double>(x[i]) + up[i], 1e-7 * (std::fabs(x[i]) + std::fabs(up[i])));
      scaled.push(x[i] * 0.3, 1e-7 * std::fabs(x[i]));
    }
    on_all("add", count, x, sum,
           [&](Backend& backend, float* out) { backend.add(out, up.data(), count); });
    on_all("scale", count, x, scaled,
           [&](Backend& backend, float* out) { backend.scale(out, 0.3f, count); });
    test_log_sum_exp(x);
    for (const float cap : {0.01f, 1.0f, 30.0f, 1e4f}) {
      Expected capped;
      for (const float value : x) {
        const double right = cap * std::tanh(static_cast<double>(value) / cap);
        capped.push(right, 1e-6 * std::fabs(right));
      }
      on_all("soft_cap", count, x, capped,
             [&](Backend& backend, float* out) { backend.soft_cap(out, cap, count); });
    }
  }
}

void test_add_weighted() {
  Random random(6);
  for (const int64_t n : kWidths) {
    for (const int64_t rows : kRows) {
      const int64_t used = rows % 3 + 1;
      const std::vector<float> before = sample_row(Sample::kUniform, random, rows * n);
      const std::vector<float> y = sample_row(Sample::kUniform, random, rows * used * n);
      const std::vector<float> weights = sample_row(Sample::kUniform, random, rows * used);
      std::vector<int32_t> places;
      Expected expected;
      for (int64_t i = 0; i < rows * used; ++i)
        places.push_back(static_cast<int32_t>(random.bits() % static_cast<uint64_t>(rows * used)));
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < n; ++i) {
          double value = before[static_cast<size_t>(r * n + i)];
          double magnitude = std::fabs(value);
          for (auto j = static_cast<size_t>(r * used); j < static_cast<size_t>((r + 1) * used);
               ++j) {
            const double part =
                static_cast<double>(weights[j]) * y[static_cast<size_t>(places[j] * n + i)];
            value += part;
            magnitude += std::fabs(part);
          }
          expected.push(value, 1e-6 * magnitude);
        }
      }
      on_all("add_weighted", n, before, expected, [&](Backend& backend, float* out) {
        backend.add_weighted({y.data(), places.data(), weights.data(), used}, out, rows, n);
      });
    }
  }
}

struct Heads {
  int64_t heads;
  int64_t kv_heads;
};

// Reads the text in steps of these sizes, again and again, into a cache that has been full of
// another one: whoever sees what is not there yet gets infinity.
void read_text(Backend& backend, const testing::AttentionInput& in,
               const std::vector<int64_t>& steps, float* out) {
  const AttentionShape shape = {in.heads, in.kv_heads, in.head_dim, in.scale, in.window, in.cap};
  const int64_t capacity = in.tokens + 3;
  const CacheType type = in.format->id == kIdF16 ? CacheType::kF16 : CacheType::kQ8_0;
  const auto cache = backend.make_cache(shape, capacity, type);
  const int64_t kv_width = in.kv_heads * in.head_dim;
  const std::vector<float> before(static_cast<size_t>(capacity * kv_width), 1e30f);
  backend.write_cache(*cache, 0, before.data(), before.data(), capacity);
  for (int64_t from = 0, step = 0; from < in.tokens; ++step) {
    const int64_t size = steps[static_cast<size_t>(step) % steps.size()];
    const int64_t rows = std::min(size, in.tokens - from);
    backend.write_cache(*cache, from, in.k.data() + from * kv_width, in.v.data() + from * kv_width,
                        rows);
    const int64_t at = from * in.heads * in.head_dim;
    backend.attention(*cache, from, in.q.data() + at, rows, out + at);
    from += rows;
  }
}

testing::AttentionInput attention_input(Heads heads, int64_t head_dim, int64_t window,
                                        FormatId type, int64_t tokens, float cap = 0) {
  Random random(static_cast<uint64_t>(heads.heads * 1000 + head_dim));
  testing::AttentionInput in = {find_format(type),
                                heads.heads,
                                heads.kv_heads,
                                head_dim,
                                0.3f,
                                window,
                                cap,
                                tokens,
                                {},
                                {},
                                {}};
  in.q = sample_row(Sample::kUniform, random, tokens * heads.heads * head_dim);
  in.k = sample_row(Sample::kUniform, random, tokens * heads.kv_heads * head_dim);
  in.v = sample_row(Sample::kUniform, random, tokens * heads.kv_heads * head_dim);
  return in;
}

void check_attention(const testing::AttentionInput& in,
                     const std::vector<std::vector<int64_t>>& all_steps) {
  const Expected expected = testing::attention(in);
  for (const std::vector<int64_t>& steps : all_steps) {
    on_all(in.format->name, in.head_dim, untouched(in.q.size()), expected,
           [&](Backend& backend, float* out) { read_text(backend, in, steps, out); });
  }
}

void test_attention_of(Heads heads, int64_t head_dim, int64_t window, FormatId type, int64_t tokens,
                       float cap = 0) {
  std::vector<std::vector<int64_t>> all_steps = {{tokens}, {5, 1, 3, 20, 2}};
  if (tokens < 100) all_steps.push_back({1});
  check_attention(attention_input(heads, head_dim, window, type, tokens, cap), all_steps);
}

// Beyond several blocks of tokens and, with few queries, beyond several pieces of work; windows
// whose edges lie in, at and beside the blocks'.
void test_depth() {
  for (const FormatId type : {kIdF16, kIdQ8_0}) {
    for (const int64_t window : {0, 64, 65, 700}) {
      check_attention(attention_input({4, 2}, 32, window, type, 1100), {{1090, 1, 3}});
    }
    check_attention(attention_input({7, 1}, 64, 130, type, 600), {{340, 250, 1, 2, 4}});
  }
  check_attention(attention_input({3, 1}, 80, 0, kIdF16, 700), {{640, 1}});
}

// Scores that are far apart, the largest in any place: weights of what was before become nothing,
// or those of what comes.
void test_far_scores() {
  for (const FormatId type : {kIdF16, kIdQ8_0}) {
    for (const float size : {30.0f, -30.0f, 1000.0f, -1000.0f}) {
      for (const int64_t period : {1, 64, 130}) {
        testing::AttentionInput in = attention_input({2, 1}, 32, 0, type, 300);
        for (float& q : in.q) q = std::fabs(q);
        for (size_t i = 0; i < in.k.size(); ++i) {
          const int64_t token = static_cast<int64_t>(i) / in.head_dim;
          in.k[i] = token / period % 2 == 0 ? size : -size;
        }
        check_attention(in, {{290, 1}});
      }
    }
  }
}

// A value that is NaN reaches those that see its token, and nobody else; so does a key.
void test_nan() {
  for (const FormatId type : {kIdF16, kIdQ8_0}) {
    for (const Heads heads : {Heads{8, 1}, Heads{6, 2}}) {
      for (const int64_t window : {0, 40}) {
        for (const int64_t token : {0, 63, 70, 199}) {
          for (const bool is_key : {false, true}) {
            testing::AttentionInput in = attention_input(heads, 32, window, type, 200);
            std::vector<float>& row = is_key ? in.k : in.v;
            row[static_cast<size_t>(token * heads.kv_heads * 32 + 5)] = kNaN;
            check_attention(in, {{190, 1, 3}});
          }
        }
      }
    }
  }
}

void test_attention() {
  constexpr Heads kHeads[] = {{1, 1}, {8, 8}, {8, 2}, {9, 3}, {4, 1}};
  constexpr int64_t kHeadDims[] = {2, 32, 48, 64, 100, 128};
  constexpr int64_t kWindows[] = {0, 1, 7, 1000};
  // Every value of a table meets every value of the other two.
  for (size_t h = 0; h < 5; ++h) {
    for (size_t d = 0; d < 6; ++d) {
      for (const FormatId type : {kIdF16, kIdQ8_0}) {
        if (kHeadDims[d] % find_format(type)->values_per_block != 0) continue;
        test_attention_of(kHeads[h], kHeadDims[d], kWindows[(h + d + type) % 4], type, 37);
      }
    }
  }
  test_attention_of({1, 1}, 2, 0, kIdF16, 1);
  test_attention_of({4, 1}, 32, 7, kIdF16, 513);
  test_attention_of({4, 1}, 32, 0, kIdQ8_0, 200);
  test_attention_of({9, 3}, 48, 100, kIdF16, 150);
  test_attention_of({8, 2}, 64, 7, kIdF16, 37, 0.5f);
  test_attention_of({4, 1}, 32, 0, kIdQ8_0, 37, 2.0f);
  test_depth();
  test_far_scores();
  test_nan();
}

void run() {
  test_get_rows();
  test_norm();
  test_mul_mat();
  test_parts();
  test_rope();
  test_value_by_value();
  test_add_weighted();
  test_attention();
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
