#pragma once

#include <cstdint>

#include "kernels/arch.h"
#include "kernels/row_math/activations.h"

// Attention over some tokens of a cache, a block of tokens at a time: their scores, softmax against
// the largest score so far, and their values' sums, all in the first caches. RUNTIME contract:
// products as those of mul_mat.
namespace nibble {

// Keys lie in tiles of this many tokens, so that a register holds one dimension of several tokens.
constexpr int64_t kKeyTile = 32;
// Tokens of a block; ranges are best cut at multiples of it.
constexpr int64_t kTokenBlock = 64;

enum class KeysAndValues { kF16, kQ8_0 };

// A head of keys and values. A tile of keys in F16: [dimension][token]; in Q8_0, for every 32
// dimensions: scales [token] (f16), then codes [dimension / 4][token][4] plus `key_code_zero`.
// Values: rows of their format, one behind the other, and kSlackBytes that may be read.
struct CachedHead {
  KeysAndValues type;
  int64_t head_dim;
  const uint8_t* keys;
  const uint8_t* values;
};
constexpr int64_t kSlackBytes = 128;

// Rows of queries, times the scale of scores: `group` of each token, which share the head.
struct QueryRows {
  Activations x;
  int64_t group;
  int64_t first;   // token of row 0
  int64_t window;  // a token sees so many tokens, itself among them; 0: all before it
  float cap;       // scores become cap * tanh(score / cap); 0: they stay

  // Tokens that row r sees.
  int64_t end(int64_t r) const { return first + r / group + 1; }
  int64_t begin(int64_t r) const { return window > 0 && end(r) > window ? end(r) - window : 0; }
};

// What is known of each row after some tokens: the largest score, the sum of e^(score - largest),
// and that of the values times it, as rows of sums_stride(head_dim).
struct RunningSums {
  float* largest;
  float* total;
  float* sums;
};

constexpr int64_t sums_stride(int64_t head_dim) { return (head_dim + 31) / 32 * 32; }

// f32 values of the memory that attend() needs.
constexpr int64_t attention_scratch(int64_t head_dim) {
  return 2 * kTokenBlock * head_dim + kSlackBytes + 16 * kTokenBlock;
}

struct Attention {
  Isa isa;
  uint8_t key_code_zero;
  // Adds tokens [begin, end), as far as the rows see them; `begin` is a multiple of kTokenBlock.
  // `scratch`: attention_scratch() values, aligned to 64.
  void (*attend)(const CachedHead& head, const QueryRows& queries, int64_t begin, int64_t end,
                 const RunningSums& sums, float* scratch);
};

// A token's row of keys, F16 or Q8_0 as the cache is, into the tiles of its head.
void write_key(KeysAndValues type, uint8_t key_code_zero, int64_t head_dim, int64_t token,
               const void* row, uint8_t* keys);

// Before any token.
void clear_sums(const RunningSums& sums, int64_t rows, int64_t head_dim);

// Those of the instruction set, or of the next worse one that has some.
const Attention& find_attention(Isa isa);

}  // namespace nibble
