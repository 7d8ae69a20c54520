#include "kernels/mul_mat/isa_tables.h"
#include "kernels/mul_mat/lanes.h"
#include "kernels/simd/dot_x86_avx512vnni.h"

// BF16 weights times activations that are rounded to BF16 too: vdpbf16ps adds two products to a sum
// in f32, so a panel holds pairs of values: [k / 2][row][2].
namespace nibble {
namespace {

using V = DotAvx512Vnni;

// Twice what fits as f32.
constexpr int64_t kStretch = 2 * kFloatStretch;

// Words of two values; what is beyond `count` is zero.
static inline __m256i load_pairs(const uint16_t* row, int64_t count) {
  const uint32_t exist = count < 16 ? (1u << count) - 1 : 0xffffu;
  return _mm256_maskz_loadu_epi16(static_cast<__mmask16>(exist), row);
}

// pairs(count) words of each of the panel's rows, the last row for those that are missing.
void fill_pairs(const uint8_t* weights, int64_t row_bytes, int64_t rows, int64_t from,
                int64_t count, uint8_t* panel) {
  for (int64_t first = 0; first < kPanelRows; first += kTurnedRows) {
    uint8_t* to = panel + 4 * first;
    for (int64_t k = 0; k < count; k += 16) {
      __m256i turned[kTurnedRows];
      for (int64_t r = 0; r < kTurnedRows; ++r) {
        const uint8_t* row = weights + least(first + r, rows - 1) * row_bytes;
        turned[r] = load_pairs(reinterpret_cast<const uint16_t*>(row) + from + k, count - k);
      }
      V::transpose8(turned);
      for (int i = 0; i < 8; ++i, to += 4 * kPanelRows) V::store_bytes(to, turned[i]);
    }
  }
}

// Values as BF16, two in a word; what is beyond `count` is zero.
void round_pairs(const float* x, int64_t count, uint32_t* pairs) {
  for (int64_t k = 0; k < count; k += 16) {
    const uint32_t exist = count - k < 16 ? (1u << (count - k)) - 1 : 0xffffu;
    const __m512 values = _mm512_maskz_loadu_ps(static_cast<__mmask16>(exist), x + k);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(pairs + k / 2),
                        (__m256i)_mm512_cvtneps_pbh(values));
  }
}

struct PairTile {
  const uint8_t* panel;
  const Activations& x;
  int64_t from;
  int64_t count;
  float* out;
  int64_t out_stride;
  int64_t rows;

  template <int kActs>
  void operator()(int64_t at, int64_t done) const {
    alignas(64) uint32_t pairs[kActs][kStretch / 2];
    for (int a = 0; a < kActs; ++a) round_pairs(x.f32 + (at + a) * x.n + from, count, pairs[a]);
    V::F32 acc[V::kSlices][kActs];
    set_zero<V>(acc);
    for (int64_t k = 0; k < (count + 1) / 2; ++k) {
      const uint8_t* lanes = panel + k * 4 * kPanelRows;
      for (int a = 0; a < kActs; ++a) {
        const auto pair = (__m512bh)_mm512_set1_epi32(static_cast<int32_t>(pairs[a][k]));
        for (int s = 0; s < V::kSlices; ++s) {
          const auto weights = (__m512bh)_mm512_loadu_si512(lanes + s * 4 * V::kWidth);
          acc[s][a] = _mm512_dpbf16_ps(acc[s][a], weights, pair);
        }
      }
    }
    put<V, kActs>(acc, done - at, out + at * out_stride, out_stride, rows, from > 0);
  }
};

void mul_mat_bf16(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                  float* out, int64_t out_stride, void* memory) {
  static_assert(V::kSlices * V::kWidth == kPanelRows, "a tile is as wide as a panel");
  const auto* row = static_cast<const uint8_t*>(weights);
  auto* panel = static_cast<uint8_t*>(memory);
  for (int64_t first = 0; first < rows; first += kPanelRows) {
    const int64_t count = least(rows - first, kPanelRows);
    for (int64_t from = 0; from < x.n; from += kStretch) {
      const int64_t stretch = least(x.n - from, kStretch);
      fill_pairs(row + first * row_bytes, row_bytes, count, from, stretch, panel);
      each_tile<V::kFloatActs>(x.rows,
                               PairTile{panel, x, from, stretch, out + first, out_stride, count});
    }
  }
}

constexpr KernelRow<MulMat> kRows[] = {{kIdBF16, mul_mat_bf16}};

}  // namespace

extern constexpr KernelTable<MulMat> kMulMat_x86_avx512bf16 = {Isa::kX86Avx512Bf16, kRows, 1};

}  // namespace nibble
