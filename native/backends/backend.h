#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backends/weight.h"

// What a model is computed with. A graph is written once over these operations; a backend is one
// way of doing them. Matrices of activations are f32, row after row, one row per token.
//
// An operation returns when it is done. It does not fail: whoever calls has checked the shapes, and
// memory is taken when the backend and its caches are made.
namespace nibble {

// One product of several over the same input: out (rows of weight.rows) = x . weight^T + bias.
struct Product {
  const Weight* weight;
  const float* bias;  // or null
  float* out;
};

// Rotary embedding: value pairs of every head are turned by angle[token][pair].
struct Rope {
  int64_t dims;  // of a head that are turned, the first ones
  bool halves;   // pairs (i, i + dims / 2); else (2 i, 2 i + 1)
  // [token][dims / 2][2]: cosine and sine, times the scale of the magnitude.
  const float* table;
};

enum class CacheType { kF16, kQ8_0 };

struct AttentionShape {
  int64_t heads;
  int64_t kv_heads;  // divides heads
  int64_t head_dim;
  float scale;     // of q . k
  int64_t window;  // a token sees so many tokens, itself among them; 0: all before it
};

// Keys and values of one layer.
class KvCache {
 public:
  virtual ~KvCache() = default;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::unique_ptr<KvCache> make_cache(const AttentionShape& shape, int64_t capacity,
                                              CacheType type) = 0;

  // out[i] = row ids[i] of the weight.
  virtual void get_rows(const Weight& weight, const int32_t* ids, int64_t rows, float* out) = 0;
  // Every row times weight / sqrt(mean of squares + eps). out may be x.
  virtual void rms_norm(const float* x, const float* weight, int64_t rows, int64_t n, float eps,
                        float* out) = 0;
  // All weights have the same n.
  virtual void mul_mat(const std::vector<Product>& products, const float* x, int64_t rows) = 0;
  // Rows of `heads` heads of head_dim, in place.
  virtual void rope(const Rope& rope, int64_t heads, int64_t head_dim, float* x, int64_t rows) = 0;
  // Keys and values (rows of kv_heads * head_dim) of tokens `from` and on.
  virtual void write_cache(KvCache& cache, int64_t from, const float* k, const float* v,
                           int64_t rows) = 0;
  // Queries (rows of heads * head_dim) of tokens `from` and on; the cache has theirs already.
  virtual void attention(const KvCache& cache, int64_t from, const float* q, int64_t rows,
                         float* out) = 0;
  // gate = silu(gate) * up.
  virtual void silu_mul(float* gate, const float* up, int64_t count) = 0;
  // x += y.
  virtual void add(float* x, const float* y, int64_t count) = 0;
};

}  // namespace nibble
