#pragma once

#include "backends/backend.h"
#include "backends/cpu/products.h"
#include "base/aligned_buffer.h"
#include "kernels/attention/attention.h"

// What lies between Backend::attention and its kernels: the cache, and how work is cut into pieces.
namespace nibble {

// Keys and values of a layer, head by head, as CachedHead describes them.
class CpuKvCache final : public KvCache {
 public:
  CpuKvCache(const AttentionShape& shape, int64_t capacity, CacheType type, uint8_t key_code_zero);

  void write(int64_t token, int64_t kv_head, const float* k, const float* v);

  CachedHead head(int64_t kv_head) const;
  int64_t row_bytes() const { return row_bytes_; }
  bool has_codes() const { return type_ == KeysAndValues::kQ8_0; }

  const AttentionShape shape;

 private:
  const KeysAndValues type_;
  const QuantizeRow quantize_row_;
  const uint8_t key_code_zero_;
  const int64_t row_bytes_;
  const int64_t head_bytes_;  // of whole tiles
  AlignedBuffer keys_;
  AlignedBuffer values_;
};

// How `rows` query tokens from `from` on are cut: blocks of query tokens, and for each of them
// chunks of the tokens that it sees. It follows from the shape alone, so that sums are the same for
// any number of threads.
struct AttentionCut {
  AttentionCut(const AttentionShape& shape, int64_t from, int64_t rows);

  int64_t from;
  int64_t rows;
  int64_t group;         // query heads that share a kv head
  int64_t block_tokens;  // query tokens of a block
  int64_t blocks;
  int64_t chunk_tokens;
  int64_t chunks;
};

// A piece of work: query tokens [first, last) of a kv head.
struct AttentionPiece {
  int64_t kv_head;
  int64_t first;
  int64_t last;
  int64_t chunk;
};

// Memory of one thread.
struct AttentionScratch {
  AlignedBuffer queries;
  ActivationBuffer codes;
  AlignedBuffer floats;
};

// f32 values of a piece's running sums.
int64_t piece_values(const AttentionCut& cut, int64_t head_dim);

// The running sums of a piece, into its memory. q as Backend::attention's.
void attend_piece(const CpuKvCache& cache, const Attention& kernels, const RowMath& math,
                  const AttentionCut& cut, const AttentionPiece& piece, const float* q,
                  float* memory, AttentionScratch& scratch);

// The sums of a piece's chunks, one behind the other in memory, become rows of `out`.
void join_chunks(const AttentionShape& shape, const RowMath& math, const AttentionCut& cut,
                 const AttentionPiece& piece, const float* memory, float* out);

}  // namespace nibble
