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

constexpr int64_t kAllRows = -1;

// One product of several over the same input: out (rows of weight.rows) = x . weight^T + bias.
struct Product {
  const Weight* weight;
  const float* bias;  // or null
  float* out;
  // Rows of the input that it takes, and that it gives: an expert has only its own.
  int64_t first = 0;
  int64_t rows = kAllRows;
};

// Every row by its size, times weight, plus bias.
struct Norm {
  // Its mean is taken away first ("layer norm"); else only its size goes ("RMS norm").
  bool centered;
  float eps;
  int64_t n;
  const float* weight;  // weight_rows rows of n: row r takes row r % weight_rows
  int64_t weight_rows;
  const float* bias;  // one row, or null; of centered ones only
};

enum class Activation {
  kSilu,  // x / (1 + e^-x)
  kGelu,  // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
};

// Rows of y to sum up: row r is the sum over i of weights[r * used + i] * y[places[r * used + i]].
struct WeightedRows {
  const float* y;
  const int32_t* places;
  const float* weights;
  int64_t used;
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
  float cap;       // scores become cap * tanh(score / cap); 0: they stay
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
  // Rows of norm.n values. out may be x.
  virtual void norm(const Norm& norm, const float* x, int64_t rows, float* out) = 0;
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
  // x = activation(x) * up, or without up where that is null.
  virtual void activate(Activation activation, float* x, const float* up, int64_t count) = 0;
  // out[r] = ln(sum of e^x) over row r, exact to 1e-10.
  virtual void log_sum_exp(const float* x, int64_t rows, int64_t n, double* out) = 0;
  // x += y.
  virtual void add(float* x, const float* y, int64_t count) = 0;
  // Rows of n values: x += the sums.
  virtual void add_weighted(const WeightedRows& sums, float* x, int64_t rows, int64_t n) = 0;
  // x *= factor.
  virtual void scale(float* x, float factor, int64_t count) = 0;
  // x = cap * tanh(x / cap).
  virtual void soft_cap(float* x, float cap, int64_t count) = 0;
};

}  // namespace nibble
