#include "backends/cpu/cpu_backend.h"

#include <algorithm>
#include <vector>

#include "backends/cpu/attention.h"
#include "backends/cpu/products.h"
#include "base/thread_pool.h"
#include "kernels/row_math/row_math.h"

namespace nibble {
namespace {

// Bytes of weights in a piece of a product with few rows. Long pieces are what memory is read
// fastest in (256 KiB: a quarter more tokens per second than 64 KiB, on 1.1B weights in Q4_0); each
// thread should get some, so that none waits long at the end.
constexpr int64_t kLeastPieceBytes = 16 << 10;
constexpr int64_t kMostPieceBytes = 512 << 10;
constexpr int64_t kPiecesPerThread = 4;
// Values that one piece of an operation value by value has.
constexpr int64_t kPieceValues = 16 << 10;

int64_t pieces_of(int64_t count, int64_t piece) { return (count + piece - 1) / piece; }

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads)
      : kernels_(isa_in_use()),
        attention_(find_attention(isa_in_use())),
        math_(find_row_math(isa_in_use())),
        pool_(threads),
        panels_(static_cast<size_t>(pool_.threads())),
        scratch_(static_cast<size_t>(pool_.threads())) {}

  std::unique_ptr<KvCache> make_cache(const AttentionShape& shape, int64_t capacity,
                                      CacheType type) override {
    return std::make_unique<CpuKvCache>(shape, capacity, type, attention_.key_code_zero);
  }

  void get_rows(const Weight& weight, const int32_t* ids, int64_t rows, float* out) override {
    each_row(rows, weight.n, [&](int64_t r) {
      weight.format->dequantize_row(weight.row(ids[r]), out + r * weight.n, weight.n);
    });
  }

  void norm(const Norm& norm, const float* x, int64_t rows, float* out) override {
    const int64_t n = norm.n;
    each_row(rows, n, [&](int64_t r) {
      const float* weight = norm.weight + r % norm.weight_rows * n;
      if (norm.centered) {
        math_.layer_norm(x + r * n, weight, norm.bias, n, norm.eps, out + r * n);
      } else {
        math_.rms_norm(x + r * n, weight, n, norm.eps, out + r * n);
      }
    });
  }

  void mul_mat(const std::vector<Product>& products, const float* x, int64_t rows) override {
    const int64_t n = products[0].weight->n;
    const bool quantized = std::any_of(products.begin(), products.end(), [](const Product& p) {
      return takes_codes(*p.weight->format);
    });
    Activations act = {rows, n, x, nullptr, nullptr, nullptr, nullptr};
    if (quantized) {
      act = activations_.reserve(x, rows, n);
      each_row(rows, n, [&](int64_t r) { ActivationBuffer::quantize(math_, act, r); });
    }
    for (AlignedBuffer& panel : panels_) panel.reserve<uint8_t>(panel_bytes(n));
    // Product p has the pieces from begins[p] on, of row_counts[p] weight rows each.
    begins_.assign(1, 0);
    row_counts_.clear();
    int64_t bytes = 0;
    for (const Product& product : products)
      bytes += product.weight->rows * product.weight->row_bytes();
    const int64_t piece =
        std::clamp(bytes / (pool_.threads() * kPiecesPerThread), kLeastPieceBytes, kMostPieceBytes);
    for (const Product& product : products) {
      const int64_t few = std::max<int64_t>(1, piece / product.weight->row_bytes());
      const int64_t taken = product.rows == kAllRows ? rows : product.rows;
      const bool is_few = taken < kernels_[*product.weight->format].panel_from;
      row_counts_.push_back(is_few ? few : kPanelRows);
      begins_.push_back(begins_.back() + pieces_of(product.weight->rows, row_counts_.back()));
    }
    pool_.for_each(begins_.back(), [&](int thread, int64_t index) {
      const auto p = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), index) -
                                         begins_.begin() - 1);
      multiply(products[p], (index - begins_[p]) * row_counts_[p], row_counts_[p], act,
               panels_[static_cast<size_t>(thread)]);
    });
  }

  void rope(const Rope& rope, int64_t heads, int64_t head_dim, float* x, int64_t rows) override {
    const int64_t half = rope.dims / 2;
    // Where the pairs are: a step from one to the next, and from its first value to its second.
    const int64_t step = rope.halves ? 1 : 2;
    const int64_t other = rope.halves ? half : 1;
    each_row(rows, heads * head_dim, [&](int64_t r) {
      const float* table = rope.table + r * rope.dims;
      for (int64_t h = 0; h < heads; ++h) {
        float* head = x + (r * heads + h) * head_dim;
        math_.rotate(head, head + other, step, table, half);
      }
    });
  }

  void write_cache(KvCache& cache, int64_t from, const float* k, const float* v,
                   int64_t rows) override {
    auto& ours = static_cast<CpuKvCache&>(cache);
    const int64_t n = ours.shape.head_dim;
    const int64_t heads = ours.shape.kv_heads;
    // By head: neighbouring tokens of a column share cache lines.
    const int64_t least = rows * n * heads < kPieceValues ? heads : 1;
    pool_.for_each(heads / least, [&](int, int64_t index) {
      for (int64_t h = index * least; h < (index + 1) * least; ++h) {
        for (int64_t r = 0; r < rows; ++r)
          ours.write(from + r, h, k + (r * heads + h) * n, v + (r * heads + h) * n);
      }
    });
  }

  void attention(const KvCache& cache, int64_t from, const float* q, int64_t rows,
                 float* out) override {
    const auto& ours = static_cast<const CpuKvCache&>(cache);
    const int64_t kv_heads = ours.shape.kv_heads;
    const AttentionCut cut(ours.shape, from, rows);
    const int64_t piece_size = piece_values(cut, ours.shape.head_dim);
    const int64_t parts = cut.blocks * kv_heads;
    float* sums =
        sums_.reserve<float>(piece_size * (cut.chunks == 1 ? pool_.threads() : parts * cut.chunks));
    const auto piece_of = [&](int64_t part, int64_t chunk) -> AttentionPiece {
      // The last queries see the most: first come the long pieces.
      const int64_t first = (cut.blocks - 1 - part / kv_heads) * cut.block_tokens;
      return {part % kv_heads, first, std::min(first + cut.block_tokens, rows), chunk};
    };
    // Little work: several pieces in one.
    const int64_t count = parts * cut.chunks;
    const int64_t bytes = 2 * std::min(cut.chunk_tokens, from + rows) * ours.row_bytes();
    const int64_t each = std::clamp<int64_t>(kLeastPieceBytes / (bytes * rows), 1, count);
    pool_.for_each(pieces_of(count, each), [&](int thread, int64_t index) {
      for (int64_t i = index * each; i < std::min((index + 1) * each, count); ++i) {
        const AttentionPiece piece = piece_of(i / cut.chunks, i % cut.chunks);
        float* memory = sums + piece_size * (cut.chunks == 1 ? thread : i);
        attend_piece(ours, attention_, math_, cut, piece, q, memory,
                     scratch_[static_cast<size_t>(thread)]);
        if (cut.chunks == 1) join_chunks(ours.shape, math_, cut, piece, memory, out);
      }
    });
    if (cut.chunks == 1) return;
    each_row(parts, cut.chunks * piece_size, [&](int64_t part) {
      join_chunks(ours.shape, math_, cut, piece_of(part, 0), sums + part * cut.chunks * piece_size,
                  out);
    });
  }

  void activate(Activation activation, float* x, const float* up, int64_t count) override {
    const auto function = activation == Activation::kSilu ? math_.silu : math_.gelu;
    each_piece(count, [&](int64_t begin, int64_t end) {
      function(x + begin, up == nullptr ? nullptr : up + begin, end - begin);
    });
  }

  void log_sum_exp(const float* x, int64_t rows, int64_t n, double* out) override {
    each_row(rows, n, [&](int64_t r) { out[r] = math_.log_sum_exp(x + r * n, n); });
  }

  void add(float* x, const float* y, int64_t count) override {
    each_piece(count, [&](int64_t begin, int64_t end) {
      math_.add(x + begin, y + begin, 1.0f, end - begin);
    });
  }

  void add_weighted(const WeightedRows& sums, float* x, int64_t rows, int64_t n) override {
    each_row(rows, n * sums.used, [&](int64_t r) {
      float* to = x + r * n;
      for (int64_t j = r * sums.used; j < (r + 1) * sums.used; ++j) {
        math_.add(to, sums.y + sums.places[j] * n, sums.weights[j], n);
      }
    });
  }

  void scale(float* x, float factor, int64_t count) override {
    each_piece(count,
               [&](int64_t begin, int64_t end) { math_.scale(x + begin, factor, end - begin); });
  }

  void soft_cap(float* x, float cap, int64_t count) override {
    each_piece(count,
               [&](int64_t begin, int64_t end) { math_.soft_cap(x + begin, cap, end - begin); });
  }

 private:
  // body(row), several rows to a piece where they are short.
  template <typename Body>
  void each_row(int64_t rows, int64_t n, const Body& body) {
    const int64_t piece = std::max<int64_t>(1, kPieceValues / n);
    pool_.for_each(pieces_of(rows, piece), [&](int, int64_t index) {
      const int64_t end = std::min((index + 1) * piece, rows);
      for (int64_t r = index * piece; r < end; ++r) body(r);
    });
  }

  // body(begin, end) over `count` values.
  template <typename Body>
  void each_piece(int64_t count, const Body& body) {
    pool_.for_each(pieces_of(count, kPieceValues), [&](int, int64_t index) {
      body(index * kPieceValues, std::min((index + 1) * kPieceValues, count));
    });
  }

  void multiply(const Product& product, int64_t first, int64_t count, const Activations& all,
                AlignedBuffer& panel) const {
    const Weight& weight = *product.weight;
    const Activations x = product.rows == kAllRows ? all : part(all, product.first, product.rows);
    const int64_t rows = std::min(count, weight.rows - first);
    float* out = product.out + first;
    kernels_[*weight.format].multiply(weight.row(first), weight.row_bytes(), rows, x, out,
                                      weight.rows, panel.reserve<uint8_t>(0));
    if (product.bias == nullptr) return;
    for (int64_t a = 0; a < x.rows; ++a) {
      for (int64_t r = 0; r < rows; ++r) out[a * weight.rows + r] += product.bias[first + r];
    }
  }

  const KernelsOfFormats kernels_;
  const Attention& attention_;
  const RowMath& math_;
  ThreadPool pool_;
  ActivationBuffer activations_;
  std::vector<int64_t> begins_;
  std::vector<int64_t> row_counts_;
  std::vector<AlignedBuffer> panels_;
  std::vector<AttentionScratch> scratch_;
  AlignedBuffer sums_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return std::make_unique<CpuBackend>(threads);
}

}  // namespace nibble
