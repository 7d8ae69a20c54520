#pragma once

#include <vector>

#include "backends/backend.h"
#include "backends/cpu/products.h"
#include "base/aligned_buffer.h"

// Attention by the families of products: the keys of a head are a weight with a row per token, its
// values, transposed, one with a row per dimension.
namespace nibble {

// Keys and values of a layer, head by head. Keys: [kv_head][token] rows of head_dim values.
// Values in F16: [kv_head][dimension] rows of `capacity` values. In Q8_0, whose blocks lie within a
// token's row, they are like the keys, and transposed when they are read.
class CpuKvCache final : public KvCache {
 public:
  CpuKvCache(const AttentionShape& shape, int64_t capacity, CacheType type);

  void write(int64_t token, int64_t kv_head, const float* k, const float* v);

  const AttentionShape shape;
  const int64_t capacity;
  const Format* const format;

  int64_t row_bytes() const { return format->bytes(shape.head_dim); }
  const uint8_t* keys(int64_t kv_head) const { return keys_.data() + kv_head * head_bytes(); }
  const uint8_t* values(int64_t kv_head) const { return values_.data() + kv_head * head_bytes(); }
  bool has_columns() const { return format->values_per_block == 1; }

 private:
  int64_t head_bytes() const { return capacity * row_bytes(); }

  std::vector<uint8_t> keys_;
  std::vector<uint8_t> values_;
};

// Memory of one thread.
struct AttentionScratch {
  AlignedBuffer queries;
  ActivationBuffer codes;
  AlignedBuffer scores;
  AlignedBuffer sums;
  AlignedBuffer columns;
  AlignedBuffer panel;

  // Room for `tokens` queries that see `count` tokens: attend() itself takes none.
  void reserve(const CpuKvCache& cache, int64_t tokens, int64_t count);
};

// Query tokens [first, last) of one kv head; arguments as Backend::attention.
void attend(const CpuKvCache& cache, const KernelsOfFormats& kernels, const RowMath& math,
            int64_t from, const float* q, int64_t kv_head, int64_t first, int64_t last, float* out,
            AttentionScratch& scratch);

}  // namespace nibble
