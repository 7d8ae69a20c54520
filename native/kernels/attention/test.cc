// One head against double precision on every instruction set: every number of rows, and tokens that
// come in several calls.
#include "base/aligned_buffer.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/isa_tables.h"
#include "kernels/row_math/row_math.h"
#include "testing/attention.h"
#include "testing/products.h"

namespace nibble {
namespace {

constexpr float kUntouched = 42.0f;

testing::AttentionInput input(FormatId type, int64_t group, int64_t tokens, int64_t head_dim,
                              int64_t window) {
  testing::Random random(static_cast<uint64_t>(tokens * 10 + group));
  testing::AttentionInput in = {
      find_format(type), group, 1, head_dim, 0.2f, window, 0.0f, tokens, {}, {}, {}};
  in.q = testing::sample_row(testing::Sample::kUniform, random, tokens * group * head_dim);
  in.k = testing::sample_row(testing::Sample::kUniform, random, tokens * head_dim);
  in.v = testing::sample_row(testing::Sample::kUniform, random, tokens * head_dim);
  return in;
}

// The head as the kernels of an instruction set take it.
struct Cache {
  AlignedBuffer keys;
  AlignedBuffer values;
  CachedHead head;

  Cache(const testing::AttentionInput& in, const Attention& kernels) {
    const int64_t n = in.head_dim;
    const int64_t bytes = in.format->bytes(n);
    const int64_t capacity = (in.tokens + kKeyTile - 1) / kKeyTile * kKeyTile;
    const KeysAndValues type = in.format->id == kIdF16 ? KeysAndValues::kF16 : KeysAndValues::kQ8_0;
    auto* k = keys.reserve<uint8_t>(capacity * bytes);
    auto* v = values.reserve<uint8_t>(capacity * bytes + kSlackBytes);
    // NaN in what nobody wrote.
    std::fill_n(k, capacity * bytes, uint8_t{0xff});
    std::fill_n(v, capacity * bytes + kSlackBytes, uint8_t{0xff});
    for (int64_t t = 0; t < in.tokens; ++t) {
      in.format->quantize_row(in.k.data() + t * n, v + t * bytes, n);
      write_key(type, kernels.key_code_zero, n, t, v + t * bytes, k);
      in.format->quantize_row(in.v.data() + t * n, v + t * bytes, n);
    }
    head = {type, n, k, v};
  }
};

// The last `tokens` queries, over all tokens in calls that end at `cut`s.
std::vector<float> attend(const testing::AttentionInput& in, const Attention& kernels,
                          int64_t tokens, const std::vector<int64_t>& cuts) {
  const Cache cache(in, kernels);
  const int64_t n = in.head_dim;
  const int64_t rows = tokens * in.heads;
  const int64_t first = in.tokens - tokens;
  testing::Random random(1);
  testing::ActivationRows x(testing::Sample::kZeros, random, rows, n, n % kActBlock == 0);
  for (size_t i = 0; i < x.f32.size(); ++i)
    x.f32[i] = in.q[static_cast<size_t>(first * in.heads * n) + i] * in.scale;
  if (!x.codes.empty()) {
    find_row_math(Isa::kGeneric)
        .quantize_act(x.f32.data(), rows * n, x.codes.data(), x.scale.data(), x.code_sum.data(),
                      x.sum.data());
  }
  std::vector<float> memory(static_cast<size_t>(rows * (2 + sums_stride(n)) + 1), kUntouched);
  const RunningSums sums = {memory.data(), memory.data() + rows, memory.data() + 2 * rows};
  clear_sums(sums, rows, n);
  AlignedBuffer scratch;
  int64_t begin = 0;
  for (const int64_t end : cuts) {
    kernels.attend(cache.head, {x.view(), in.heads, first, in.window, in.cap}, begin, end, sums,
                   scratch.reserve<float>(attention_scratch(n)));
    begin = end;
  }
  CHECK(memory.back() == kUntouched, "beyond the sums", rows);
  std::vector<float> out;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j)
      out.push_back(sums.sums[r * sums_stride(n) + j] / sums.total[r]);
  }
  return out;
}

void test(const testing::AttentionInput& in, int64_t tokens) {
  const testing::Expected all = testing::attention(in);
  testing::Expected last;
  const size_t from = all.values.size() - static_cast<size_t>(tokens * in.heads * in.head_dim);
  for (size_t i = from; i < all.values.size(); ++i) last.push(all.values[i], all.tolerances[i]);
  for (const Attention* kernels : kAttentionTables) {
    if (!isa_supported(kernels->isa)) continue;
    for (const std::vector<int64_t>& cuts :
         {std::vector<int64_t>{in.tokens}, std::vector<int64_t>{64, 128, in.tokens + 100}})
      CHECK(last.holds(attend(in, *kernels, tokens, cuts)), isa_name(kernels->isa), tokens);
  }
}

void run() {
  for (const FormatId type : {kIdF16, kIdQ8_0}) {
    for (int64_t tokens = 1; tokens < 20; ++tokens) {
      for (const int64_t group : {1, 3}) {
        test(input(type, group, 200, 64, 0), tokens);
        test(input(type, group, 150, 32, 77), tokens);
      }
    }
  }
  for (const int64_t head_dim : {1, 2, 31, 33, 80, 100})
    test(input(kIdF16, 2, 100, head_dim, 0), 9);
}

}  // namespace
}  // namespace nibble

int main() {
  nibble::run();
  return nibble::testing::report();
}
