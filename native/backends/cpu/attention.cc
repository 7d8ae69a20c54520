#include "backends/cpu/attention.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"

namespace nibble {
namespace {

// The values of tokens begin .. begin + count as f32 rows of `count`, one per dimension.
const float* transpose_values(const CpuKvCache& cache, int64_t kv_head, int64_t begin,
                              int64_t count, AlignedBuffer& buffer) {
  const int64_t n = cache.shape.head_dim;
  float* columns = buffer.reserve<float>((count + 1) * n);
  float* row = columns + count * n;
  const uint8_t* values = cache.values(kv_head) + begin * cache.row_bytes();
  for (int64_t token = 0; token < count; ++token) {
    cache.format->dequantize_row(values + token * cache.row_bytes(), row, n);
    for (int64_t j = 0; j < n; ++j) columns[j * count + token] = row[j];
  }
  return columns;
}

// Scores of query `token` (counted from the first score's) become weights; tokens that it does not
// see get 0.
void weigh(const RowMath& math, float* scores, int64_t count, int64_t token,
           const AttentionShape& shape) {
  const int64_t end = token + 1;
  const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0;
  if (shape.cap > 0) math.soft_cap(scores + begin, shape.cap, end - begin);
  std::fill(scores, scores + begin, 0.0f);
  std::fill(scores + end, scores + count, 0.0f);
  math.softmax(scores + begin, end - begin);
}

}  // namespace

CpuKvCache::CpuKvCache(const AttentionShape& shape, int64_t capacity, CacheType type)
    : shape(shape),
      capacity(capacity),
      format(find_format(type == CacheType::kF16 ? kIdF16 : kIdQ8_0)),
      keys_(static_cast<size_t>(shape.kv_heads * head_bytes())),
      values_(keys_.size()) {}

void CpuKvCache::write(int64_t token, int64_t kv_head, const float* k, const float* v) {
  const int64_t n = shape.head_dim;
  const int64_t head = kv_head * head_bytes();
  format->quantize_row(k, keys_.data() + head + token * row_bytes(), n);
  uint8_t* values = values_.data() + head;
  if (!has_columns()) {
    format->quantize_row(v, values + token * row_bytes(), n);
    return;
  }
  auto* halves = reinterpret_cast<uint16_t*>(values) + token;
  for (int64_t j = 0; j < n; ++j) halves[j * capacity] = f32_to_f16(v[j]);
}

void AttentionScratch::reserve(const CpuKvCache& cache, int64_t tokens, int64_t count) {
  const int64_t n = cache.shape.head_dim;
  const int64_t rows = tokens * (cache.shape.heads / cache.shape.kv_heads);
  queries.reserve<float>(rows * n);
  scores.reserve<float>(rows * count);
  sums.reserve<float>(rows * n);
  panel.reserve<uint8_t>(panel_bytes(std::max(n, count)));
  if (takes_codes(*cache.format)) codes.reserve(nullptr, rows, n);
  if (!cache.has_columns()) columns.reserve<float>((count + 1) * n);
}

void attend(const CpuKvCache& cache, const KernelsOfFormats& kernels, const RowMath& math,
            int64_t from, const float* q, int64_t kv_head, int64_t first, int64_t last, float* out,
            AttentionScratch& scratch) {
  const AttentionShape& shape = cache.shape;
  const int64_t n = shape.head_dim;
  const int64_t group = shape.heads / shape.kv_heads;
  const int64_t rows = (last - first) * group;
  // Tokens that some query sees: from the first one's window to the last query.
  const int64_t window = shape.window > 0 ? shape.window : from + last;
  const int64_t begin = std::max<int64_t>(0, from + first + 1 - window);
  const int64_t count = from + last - begin;
  // Query heads that share this kv head lie side by side.
  const int64_t stride = shape.heads * n;
  const int64_t head = kv_head * group * n;

  float* queries = scratch.queries.reserve<float>(rows * n);
  for (int64_t t = first; t < last; ++t) {
    const float* from_row = q + t * stride + head;
    float* to = queries + (t - first) * group * n;
    for (int64_t j = 0; j < group * n; ++j) to[j] = from_row[j] * shape.scale;
  }
  Activations x = {rows, n, queries, nullptr, nullptr, nullptr, nullptr};
  if (takes_codes(*cache.format)) {
    x = scratch.codes.reserve(queries, rows, n);
    for (int64_t r = 0; r < rows; ++r) ActivationBuffer::quantize(math, x, r);
  }
  float* scores = scratch.scores.reserve<float>(rows * count);
  void* panel = scratch.panel.reserve<uint8_t>(panel_bytes(std::max(n, count)));
  kernels[*cache.format].multiply(cache.keys(kv_head) + begin * cache.row_bytes(),
                                  cache.row_bytes(), count, x, scores, count, panel);
  for (int64_t r = 0; r < rows; ++r)
    weigh(math, scores + r * count, count, from + first - begin + r / group, shape);

  float* sums = scratch.sums.reserve<float>(rows * n);
  const Activations weights = {rows, count, scores, nullptr, nullptr, nullptr, nullptr};
  if (cache.has_columns()) {
    kernels[*cache.format].multiply(cache.values(kv_head) + cache.format->bytes(begin),
                                    cache.format->bytes(cache.capacity), n, weights, sums, n,
                                    panel);
  } else {
    const float* columns = transpose_values(cache, kv_head, begin, count, scratch.columns);
    kernels[*find_format(kIdF32)].multiply(columns, count * 4, n, weights, sums, n, panel);
  }
  for (int64_t t = first; t < last; ++t) {
    std::memcpy(out + t * stride + head, sums + (t - first) * group * n,
                static_cast<size_t>(group * n) * sizeof(float));
  }
}

}  // namespace nibble
