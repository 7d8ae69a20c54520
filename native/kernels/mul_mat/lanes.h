#pragma once

#include <cstring>

#include "base/inline.h"
#include "kernels/dispatch.h"
#include "kernels/mul_mat/mul_mat.h"
#include "kernels/unpack/unpacks.h"

// The family as templates over an instruction set V (kernels/simd/dot_*.h) and a type's Unpack.
//
// A panel is kPanelRows weight rows side by side, so that a register holds one value (or four
// codes) of kWidth rows, and one activation value (or four) is the same for all of them: no sum
// ever goes across lanes. The micro-kernel keeps kSlices x kActs sums in registers.
namespace nibble {
namespace {

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Bytes of a code in a panel: two where V multiplies codes as large as a type's in 16 bits.
template <typename V, typename U>
constexpr int kCodeBytes = V::multiplies_words(U::kMost) ? 2 : 1;

// Codes of a panel: [k / 4][row][4], or [k / 2][row][2] of 16 bits; then scales [k / kGroup][row];
// then mins, the same.
struct CodePanel {
  uint8_t* codes;
  float* scale;
  float* min;

  CodePanel(void* memory, int64_t n, int code_bytes)
      : codes(static_cast<uint8_t*>(memory)),
        scale(reinterpret_cast<float*>(codes + kPanelRows * code_bytes * n)),
        min(scale + kPanelRows * (n / kActGroup)) {}
};

// Part `part` of kCodeBytes of a register of codes, as the panel has them.
template <typename V, typename U>
typename V::Bytes as_stored(typename V::Bytes codes, int part) {
  if constexpr (kCodeBytes<V, U> == 2) return V::template words<U::kSigned>(codes, part);
  return as_multiplied<V, U>(codes);
}

// Rows that are turned into columns together, 32 bytes of each at a time.
constexpr int kTurnedRows = 8;

// columns[k * kPanelRows + r] = rows[r][k] for k < count.
template <typename V, int kCount>
void turn(const float (&rows)[kTurnedRows][kCount], int64_t count, float* columns) {
  int64_t k = 0;
  for (; k + 8 <= count; k += 8) {
    typename V::Bytes eight[kTurnedRows];
    for (int r = 0; r < kTurnedRows; ++r)
      eight[r] = V::load_bytes(reinterpret_cast<const uint8_t*>(rows[r] + k));
    V::transpose8(eight);
    for (int i = 0; i < 8; ++i, columns += kPanelRows)
      V::store_bytes(reinterpret_cast<uint8_t*>(columns), eight[i]);
  }
  for (; k < count; ++k, columns += kPanelRows) {
    for (int r = 0; r < kTurnedRows; ++r) columns[r] = rows[r][k];
  }
}

// Rows first .. first + 8 of the panel.
template <typename V, typename U>
void fill_rows(const uint8_t* const (&weights)[kTurnedRows], int64_t n, int64_t first,
               const CodePanel& panel) {
  for (int64_t i = 0; i < n / U::kValues; ++i) {
    typename V::Bytes codes[kTurnedRows][kRegistersOf<U>];
    float scale[kTurnedRows][kGroupsOf<U>];
    float min[kTurnedRows][kGroupsOf<U>] = {};
    for (int r = 0; r < kTurnedRows; ++r) {
      const auto* block = reinterpret_cast<const typename U::Block*>(weights[r]) + i;
      U::template unpack<V>(*block, codes[r], scale[r], min[r]);
    }
    uint8_t* to = panel.codes + i * U::kValues * kPanelRows * kCodeBytes<V, U> + 4 * first;
    for (int j = 0; j < kRegistersOf<U> * kCodeBytes<V, U>; ++j) {
      typename V::Bytes turned[8];
      for (int r = 0; r < 8; ++r)
        turned[r] = as_stored<V, U>(codes[r][j / kCodeBytes<V, U>], j % kCodeBytes<V, U>);
      V::transpose8(turned);
      for (int four = 0; four < 8; ++four, to += 4 * kPanelRows) V::store_bytes(to, turned[four]);
    }
    const int64_t group = i * kGroupsOf<U> * kPanelRows + first;
    turn<V>(scale, kGroupsOf<U>, panel.scale + group);
    if (U::kHasMin) turn<V>(min, kGroupsOf<U>, panel.min + group);
  }
}

// Of `rows` rows; the last one stands for those that are missing, whose sums nobody takes.
template <typename V, typename U>
void fill_panel(const uint8_t* weights, int64_t row_bytes, int64_t rows, int64_t n,
                const CodePanel& panel) {
  for (int64_t first = 0; first < kPanelRows; first += kTurnedRows) {
    const uint8_t* eight[kTurnedRows];
    for (int64_t r = 0; r < kTurnedRows; ++r)
      eight[r] = weights + least(first + r, rows - 1) * row_bytes;
    fill_rows<V, U>(eight, n, first, panel);
  }
}

// Fours of a group that V adds up before it widens their sums: a power of two.
template <typename V, typename U>
constexpr int batch_of_fours() {
  int batch = U::kGroup / 4;
  while (batch > V::fours_at_once(U::kMost)) batch /= 2;
  return batch;
}

template <typename V, int kActs>
void set_zero(typename V::F32 (&sums)[V::kSlices][kActs]) {
  for (auto& slice : sums) {
    for (auto& lanes : slice) lanes = V::set1(0.0f);
  }
}

// Adds to dots the products of a group's codes, of kSlices x kWidth rows, with kActs rows of
// activations that are n values apart.
template <typename V, typename U, int kActs>
NIBBLE_INLINE void add_products(const uint8_t* panel_codes, const int8_t* values, int64_t n,
                                typename V::Int (&dots)[V::kSlices][kActs]) {
  if constexpr (V::kMultipliesPairs && kActs % 2 == 0) {
    V::template add_pairs<kPanelRows, U::kGroup>(panel_codes, values, n, dots);
    return;
  }
  if constexpr (kCodeBytes<V, U> == 2) {
    V::template add_words<kPanelRows, U::kGroup>(panel_codes, values, n, dots);
    return;
  }
  constexpr int kBatch = batch_of_fours<V, U>();
  for (int from = 0; from < U::kGroup / 4; from += kBatch) {
    typename V::Part parts[V::kSlices][kActs];
    for (int s = 0; s < V::kSlices; ++s) {
      for (int a = 0; a < kActs; ++a) parts[s][a] = V::begin(dots[s][a]);
    }
    for (int four = from; four < from + kBatch; ++four) {
      for (int a = 0; a < kActs; ++a) {
        const int8_t* value = values + a * n + 4 * four;
        for (int s = 0; s < V::kSlices; ++s) {
          const uint8_t* lanes = panel_codes + four * 4 * kPanelRows + s * 4 * V::kWidth;
          parts[s][a] = V::template dot4<U::kSigned>(parts[s][a], lanes, value);
        }
      }
    }
    for (int s = 0; s < V::kSlices; ++s) {
      for (int a = 0; a < kActs; ++a) dots[s][a] = V::finish(dots[s][a], parts[s][a]);
    }
  }
}

// kSlices x kWidth rows of the panel, from row `first`, times kActs activation rows from `at`.
template <typename V, typename U, int kActs>
void multiply_codes(const CodePanel& panel, int64_t first, const Activations& x, int64_t at,
                    typename V::F32 (&sums)[V::kSlices][kActs]) {
  constexpr int kParts = kActBlock / U::kGroup;
  constexpr int kGroupsOf16 = U::kGroup / kActGroup;
  const int64_t n = x.n;
  const int8_t* codes = x.codes + at * n;
  const float* act_scale = x.scale + at * (n / kActBlock);
  const float* sum = x.sum + at * (n / kActGroup);
  const int32_t* code_sum = x.code_sum + at * (n / kActGroup);
  typename V::F32 acc[V::kSlices][kActs];  // not `sums`, which could be in the panel
  set_zero<V>(acc);
  const uint8_t* panel_codes = panel.codes + 4 * first;
  for (int64_t block = 0; block < n / kActBlock; ++block) {
    // Sums of scale * (codes . activations' codes) of the groups that share an activation's scale.
    typename V::F32 scaled[V::kSlices][kActs];
    set_zero<V>(scaled);
    for (int part = 0; part < kParts; ++part) {
      const int64_t group = block * kParts + part;
      typename V::Int dots[V::kSlices][kActs];
      for (int a = 0; a < kActs; ++a) {
        const int32_t* s16 = code_sum + a * (n / kActGroup) + group * kGroupsOf16;
        const int32_t total = kGroupsOf16 == 1 ? s16[0] : s16[0] + s16[1];
        const typename V::Int start = V::set1_int(-kZeroOf<V, U> * total);
        for (int s = 0; s < V::kSlices; ++s) dots[s][a] = start;
      }
      add_products<V, U, kActs>(panel_codes, codes + group * U::kGroup, n, dots);
      panel_codes += U::kGroup * kPanelRows * kCodeBytes<V, U>;
      for (int s = 0; s < V::kSlices; ++s) {
        const int64_t row = group * kPanelRows + first + s * V::kWidth;
        const typename V::F32 scale = V::load(panel.scale + row);
        for (int a = 0; a < kActs; ++a) {
          const typename V::F32 values = V::to_f32(dots[s][a]);
          scaled[s][a] = part == 0 ? V::mul(values, scale) : V::fma(values, scale, scaled[s][a]);
        }
        if (!U::kHasMin) continue;
        const typename V::F32 min = V::load(panel.min + row);
        for (int a = 0; a < kActs; ++a) {
          const float* s16 = sum + a * (n / kActGroup) + group * kGroupsOf16;
          const float total = kGroupsOf16 == 1 ? s16[0] : s16[0] + s16[1];
          acc[s][a] = V::fma(min, V::set1(total), acc[s][a]);
        }
      }
    }
    for (int a = 0; a < kActs; ++a) {
      const typename V::F32 d = V::set1(act_scale[a * (n / kActBlock) + block]);
      for (int s = 0; s < V::kSlices; ++s) acc[s][a] = V::fma(scaled[s][a], d, acc[s][a]);
    }
  }
  for (int s = 0; s < V::kSlices; ++s) {
    for (int a = 0; a < kActs; ++a) sums[s][a] = acc[s][a];
  }
}

// Where the sums of the micro-kernel go: out + a * out_stride, `rows` of them that exist, from
// activation row `a` on.
template <typename V, int kActs>
void put(const typename V::F32 (&acc)[V::kSlices][kActs], int64_t a, float* out, int64_t out_stride,
         int64_t rows, bool adds) {
  constexpr int kTileRows = V::kSlices * V::kWidth;
  const bool is_whole = rows == kTileRows && !adds;
  for (out += a * out_stride; a < kActs; ++a, out += out_stride) {
    if (is_whole) {
      for (int s = 0; s < V::kSlices; ++s) V::store(out + s * V::kWidth, acc[s][a]);
      continue;
    }
    float sums[kTileRows];
    for (int s = 0; s < V::kSlices; ++s) V::store(sums + s * V::kWidth, acc[s][a]);
    for (int64_t r = 0; r < rows; ++r) out[r] = adds ? out[r] + sums[r] : sums[r];
  }
}

// Calls body<kActs>(at, done) until all activation rows are done: kMost at a time, or four where
// that wastes less. The last tile begins at rows that are done rather than go beyond the end: of
// rows at .. at + kActs, those from `done` on are new.
template <int kMost, typename Body>
void each_tile(int64_t rows, const Body& body) {
  constexpr int kFew = least(kMost, 4);
  int64_t done = 0;
  while (done < rows) {
    const int64_t left = rows - done;
    const bool few = left <= kFew || left == kFew + 3 || left == 2 * kFew;
    if (rows < kFew) {
      body.template operator()<1>(done, done);
      done += 1;
    } else if (few || rows < kMost) {
      body.template operator()<kFew>(least(done, rows - kFew), done);
      done += kFew;
    } else {
      body.template operator()<kMost>(least(done, rows - kMost), done);
      done += kMost;
    }
  }
}

template <typename V, typename U>
struct CodeTile {
  const CodePanel& panel;
  const Activations& x;
  float* out;
  int64_t out_stride;
  int64_t rows;

  template <int kActs>
  void operator()(int64_t at, int64_t done) const {
    for (int64_t r = 0; r < rows; r += V::kSlices * V::kWidth) {
      typename V::F32 acc[V::kSlices][kActs];
      multiply_codes<V, U, kActs>(panel, r, x, at, acc);
      put<V, kActs>(acc, done - at, out + at * out_stride + r, out_stride,
                    least(rows - r, V::kSlices * V::kWidth), false);
    }
  }
};

template <typename V, typename U>
void mul_mat_blocks(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                    float* out, int64_t out_stride, void* memory) {
  const auto* row = static_cast<const uint8_t*>(weights);
  const CodePanel panel(memory, x.n, kCodeBytes<V, U>);
  for (int64_t first = 0; first < rows; first += kPanelRows) {
    const int64_t count = least(rows - first, kPanelRows);
    fill_panel<V, U>(row + first * row_bytes, row_bytes, count, x.n, panel);
    each_tile<V::acts(U::kGroup, U::kMost)>(
        x.rows, CodeTile<V, U>{panel, x, out + first, out_stride, count});
  }
}

// A panel of f32: [k][row], a stretch of the rows at a time so that it stays in the first cache.
template <typename V, typename Load>
void fill_floats(const uint8_t* weights, int64_t row_bytes, int64_t rows, int64_t from,
                 int64_t count, float* panel) {
  for (int64_t first = 0; first < kPanelRows; first += kTurnedRows, panel += kTurnedRows) {
    float values[kTurnedRows][kFloatStretch];
    for (int64_t r = 0; r < kTurnedRows; ++r) {
      const uint8_t* begin = weights + least(first + r, rows - 1) * row_bytes;
      const auto* row = reinterpret_cast<const typename Load::Value*>(begin) + from;
      int64_t k = 0;
      for (; k + V::kWidth <= count; k += V::kWidth) V::store(values[r] + k, Load::lanes(row + k));
      for (; k < count; ++k) values[r][k] = Load::one(row[k]);
    }
    turn<V>(values, count, panel);
  }
}

template <typename V>
struct FloatTile {
  const float* panel;
  const Activations& x;
  int64_t from;
  int64_t count;
  float* out;
  int64_t out_stride;
  int64_t rows;

  template <int kActs>
  void operator()(int64_t at, int64_t done) const {
    const float* a0 = x.f32 + at * x.n + from;
    for (int64_t r = 0; r < rows; r += V::kSlices * V::kWidth) {
      typename V::F32 acc[V::kSlices][kActs];
      set_zero<V>(acc);
      for (int64_t k = 0; k < count; ++k) {
        const float* lanes = panel + k * kPanelRows + r;
        for (int a = 0; a < kActs; ++a) {
          const typename V::F32 value = V::set1(a0[a * x.n + k]);
          for (int s = 0; s < V::kSlices; ++s)
            acc[s][a] = V::fma(V::load(lanes + s * V::kWidth), value, acc[s][a]);
        }
      }
      put<V, kActs>(acc, done - at, out + at * out_stride + r, out_stride,
                    least(rows - r, V::kSlices * V::kWidth), from > 0);
    }
  }
};

template <typename V, typename Load>
void mul_mat_floats(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                    float* out, int64_t out_stride, void* memory) {
  const auto* row = static_cast<const uint8_t*>(weights);
  auto* panel = static_cast<float*>(memory);
  for (int64_t first = 0; first < rows; first += kPanelRows) {
    const int64_t count = least(rows - first, kPanelRows);
    for (int64_t from = 0; from < x.n; from += kFloatStretch) {
      const int64_t stretch = least(x.n - from, kFloatStretch);
      fill_floats<V, Load>(row + first * row_bytes, row_bytes, count, from, stretch, panel);
      each_tile<V::kFloatActs>(
          x.rows, FloatTile<V>{panel, x, from, stretch, out + first, out_stride, count});
    }
  }
}

template <typename V>
constexpr KernelRow<MulMat> kMulMatRows[] = {
    {kIdF32, mul_mat_floats<V, LoadF32<V>>},
    {kIdF16, mul_mat_floats<V, LoadF16<V>>},
    {kIdBF16, mul_mat_floats<V, LoadBF16<V>>},
#define NIBBLE_UNPACK(type) {kId##type, mul_mat_blocks<V, Unpack##type>},
#include "kernels/unpack/unpacks.inc"
#undef NIBBLE_UNPACK
};

template <typename V>
constexpr KernelTable<MulMat> mul_mat_table(Isa isa) {
  return {isa, kMulMatRows<V>, sizeof(kMulMatRows<V>) / sizeof(kMulMatRows<V>[0])};
}

// Without the floats, which come first.
template <typename V>
constexpr KernelTable<MulMat> mul_mat_table_of_blocks(Isa isa) {
  constexpr size_t kFloats = 3;
  const KernelTable<MulMat> all = mul_mat_table<V>(isa);
  return {isa, all.rows + kFloats, all.count - kFloats};
}

}  // namespace
}  // namespace nibble
