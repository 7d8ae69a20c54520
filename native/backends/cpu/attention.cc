#include "backends/cpu/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/quantize_row/quantize_row.h"

namespace nibble {
namespace {

// Query rows (tokens times the heads that share a kv head) of a block: as many as stay in the
// second cache with their sums. What a block of tokens costs to convert is shared by them.
constexpr int64_t kQueryRows = 256;
// Pieces that are enough for any number of threads, and the fewest tokens in one.
constexpr int64_t kPieces = 32;
constexpr int64_t kLeastTokens = 512;

int64_t rounded_up(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

const Format& format_of(CacheType type) {
  return *find_format(type == CacheType::kF16 ? kIdF16 : kIdQ8_0);
}

RunningSums sums_in(float* memory, int64_t rows) {
  return {memory, memory + rows, memory + 2 * rows};
}

}  // namespace

CpuKvCache::CpuKvCache(const AttentionShape& shape, int64_t capacity, CacheType type,
                       uint8_t key_code_zero)
    : shape(shape),
      type_(type == CacheType::kF16 ? KeysAndValues::kF16 : KeysAndValues::kQ8_0),
      quantize_row_(find_quantize_row(format_of(type), isa_in_use())),
      key_code_zero_(key_code_zero),
      row_bytes_(format_of(type).bytes(shape.head_dim)),
      head_bytes_(rounded_up(capacity, kKeyTile) * row_bytes_) {
  keys_.reserve<uint8_t>(shape.kv_heads * head_bytes_);
  values_.reserve<uint8_t>(shape.kv_heads * head_bytes_ + kSlackBytes);
}

CachedHead CpuKvCache::head(int64_t kv_head) const {
  const int64_t at = kv_head * head_bytes_;
  return {type_, shape.head_dim, keys_.get<uint8_t>() + at, values_.get<uint8_t>() + at};
}

void CpuKvCache::write(int64_t token, int64_t kv_head, const float* k, const float* v) {
  const int64_t at = kv_head * head_bytes_;
  uint8_t* row = values_.get<uint8_t>() + at + token * row_bytes_;
  // The key's blocks are where the value's go, for a moment.
  quantize_row_(k, row, shape.head_dim);
  write_key(type_, key_code_zero_, shape.head_dim, token, row, keys_.get<uint8_t>() + at);
  quantize_row_(v, row, shape.head_dim);
}

AttentionCut::AttentionCut(const AttentionShape& shape, int64_t from, int64_t rows)
    : from(from),
      rows(rows),
      group(shape.heads / shape.kv_heads),
      block_tokens(std::min(rows, std::max<int64_t>(1, kQueryRows / group))),
      blocks((rows + block_tokens - 1) / block_tokens) {
  const int64_t window = shape.window > 0 ? shape.window + block_tokens : from + rows;
  const int64_t seen = rounded_up(std::min(from + rows, window), kTokenBlock) + kTokenBlock;
  const int64_t pieces = blocks * shape.kv_heads;
  chunk_tokens = std::max(kLeastTokens, rounded_up(seen * pieces / kPieces, kTokenBlock));
  chunks = (seen + chunk_tokens - 1) / chunk_tokens;
}

int64_t piece_values(const AttentionCut& cut, int64_t head_dim) {
  return rounded_up(cut.block_tokens * cut.group * (sums_stride(head_dim) + 2), kTokenBlock);
}

void attend_piece(const CpuKvCache& cache, const Attention& kernels, const RowMath& math,
                  const AttentionCut& cut, const AttentionPiece& piece, const float* q,
                  float* memory, AttentionScratch& scratch) {
  const AttentionShape& shape = cache.shape;
  const int64_t n = shape.head_dim;
  const int64_t rows = (piece.last - piece.first) * cut.group;
  const RunningSums sums = sums_in(memory, rows);
  clear_sums(sums, rows, n);

  float* floats = scratch.queries.reserve<float>(rows * n);
  for (int64_t t = piece.first; t < piece.last; ++t) {
    const float* from = q + (t * shape.heads + piece.kv_head * cut.group) * n;
    float* to = floats + (t - piece.first) * cut.group * n;
    for (int64_t j = 0; j < cut.group * n; ++j) to[j] = from[j] * shape.scale;
  }
  QueryRows queries = {{rows, n, floats, nullptr, nullptr, nullptr, nullptr},
                       cut.group,
                       cut.from + piece.first,
                       shape.window,
                       shape.cap};
  if (cache.has_codes()) {
    queries.x = scratch.codes.reserve(floats, rows, n);
    for (int64_t r = 0; r < rows; ++r) ActivationBuffer::quantize(math, queries.x, r);
  }
  // The last chunk goes to the end.
  const int64_t begin =
      queries.begin(0) / kTokenBlock * kTokenBlock + piece.chunk * cut.chunk_tokens;
  const int64_t end =
      piece.chunk + 1 == cut.chunks ? queries.end(rows - 1) : begin + cut.chunk_tokens;
  kernels.attend(cache.head(piece.kv_head), queries, begin, end, sums,
                 scratch.floats.reserve<float>(attention_scratch(n)));
}

void join_chunks(const AttentionShape& shape, const RowMath& math, const AttentionCut& cut,
                 const AttentionPiece& piece, const float* memory, float* out) {
  const int64_t n = shape.head_dim;
  const int64_t stride = piece_values(cut, n);
  const int64_t rows = (piece.last - piece.first) * cut.group;
  for (int64_t r = 0; r < rows; ++r) {
    float largest = memory[r];
    for (int64_t c = 1; c < cut.chunks; ++c) largest = std::max(largest, memory[c * stride + r]);
    const auto factor = [&](int64_t c) { return std::exp(memory[c * stride + r] - largest); };
    float total = 0.0f;
    for (int64_t c = 0; c < cut.chunks; ++c) total += memory[c * stride + rows + r] * factor(c);
    const float inverse = 1.0f / total;
    const int64_t token = piece.first + r / cut.group;
    float* to = out + (token * shape.heads + piece.kv_head * cut.group + r % cut.group) * n;
    std::fill(to, to + n, 0.0f);
    for (int64_t c = 0; c < cut.chunks; ++c) {
      const float* sums = memory + c * stride + 2 * rows + r * sums_stride(n);
      math.add(to, sums, factor(c) * inverse, n);
    }
  }
}

}  // namespace nibble
