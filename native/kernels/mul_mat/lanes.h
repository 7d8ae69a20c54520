#pragma once

#include <cstring>

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

// Codes of a panel: [k / 4][row][4]; then scales [k / kGroup][row]; then mins, the same.
struct CodePanel {
  uint8_t* codes;
  float* scale;
  float* min;

  CodePanel(void* memory, int64_t n)
      : codes(static_cast<uint8_t*>(memory)),
        scale(reinterpret_cast<float*>(codes + kPanelRows * n)),
        min(scale + kPanelRows * (n / kActGroup)) {}
};

template <typename V, typename U>
void fill_row(const uint8_t* weights, int64_t n, int64_t row, const CodePanel& panel) {
  const auto* block = reinterpret_cast<const typename U::Block*>(weights);
  for (int64_t i = 0; i < n; i += U::kValues, ++block) {
    typename V::Bytes registers[kRegistersOf<U>];
    float scale[kGroupsOf<U>];
    float min[kGroupsOf<U>] = {};
    U::template unpack<V>(*block, registers, scale, min);
    alignas(64) uint8_t codes[U::kValues];
    for (int r = 0; r < kRegistersOf<U>; ++r)
      V::store_bytes(codes + 32 * r, as_multiplied<V, U>(registers[r]));
    for (int j = 0; j < U::kValues; j += 4)
      std::memcpy(panel.codes + (i + j) * kPanelRows + 4 * row, codes + j, 4);
    for (int g = 0; g < kGroupsOf<U>; ++g) {
      const int64_t at = (i / U::kGroup + g) * kPanelRows + row;
      panel.scale[at] = scale[g];
      if (U::kHasMin) panel.min[at] = min[g];
    }
  }
}

// Rows that are missing count as zero.
template <typename U>
void clear_row(int64_t n, int64_t row, const CodePanel& panel) {
  for (int64_t j = 0; j < n; j += 4) std::memset(panel.codes + j * kPanelRows + 4 * row, 0, 4);
  for (int64_t g = 0; g < n / U::kGroup; ++g) {
    panel.scale[g * kPanelRows + row] = 0.0f;
    if (U::kHasMin) panel.min[g * kPanelRows + row] = 0.0f;
  }
}

// kSlices x kWidth rows of the panel, from row `first`, times kActs activation rows from `at`.
template <typename V, typename U, int kActs>
void multiply_codes(const CodePanel& panel, int64_t first, const Activations& x, int64_t at,
                    typename V::F32 (&acc)[V::kSlices][kActs]) {
  constexpr int kFours = U::kGroup / 4;
  constexpr int kGroupsOf16 = U::kGroup / kActGroup;
  const int64_t n = x.n;
  const int8_t* codes = x.codes + at * n;
  const float* act_scale = x.scale + at * (n / kActBlock);
  const float* sum = x.sum + at * (n / kActGroup);
  const int32_t* code_sum = x.code_sum + at * (n / kActGroup);
  for (auto& slice : acc) {
    for (auto& lanes : slice) lanes = V::set1(0.0f);
  }
  const uint8_t* panel_codes = panel.codes + 4 * first;
  for (int64_t g = 0; g < n / U::kGroup; ++g) {
    typename V::Int dots[V::kSlices][kActs];
    for (int a = 0; a < kActs; ++a) {
      const int32_t* s = code_sum + a * (n / kActGroup) + g * kGroupsOf16;
      const int32_t total = kGroupsOf16 == 1 ? s[0] : s[0] + s[1];
      const typename V::Int start = V::set1_int(-kZeroOf<V, U> * total);
      for (int s2 = 0; s2 < V::kSlices; ++s2) dots[s2][a] = start;
    }
    for (int four = 0; four < kFours; ++four) {
      for (int a = 0; a < kActs; ++a) {
        const int8_t* value = codes + a * n + g * U::kGroup + 4 * four;
        for (int s = 0; s < V::kSlices; ++s) {
          const uint8_t* lanes = panel_codes + four * 4 * kPanelRows + s * 4 * V::kWidth;
          dots[s][a] = V::template dot4<U::kSigned>(dots[s][a], lanes, value);
        }
      }
    }
    panel_codes += U::kGroup * kPanelRows;
    for (int s = 0; s < V::kSlices; ++s) {
      const int64_t row = g * kPanelRows + first + s * V::kWidth;
      const typename V::F32 scale = V::load(panel.scale + row);
      for (int a = 0; a < kActs; ++a) {
        const float d = act_scale[a * (n / kActBlock) + g * U::kGroup / kActBlock];
        acc[s][a] = V::fma(V::to_f32(dots[s][a]), V::mul(scale, V::set1(d)), acc[s][a]);
      }
      if (!U::kHasMin) continue;
      const typename V::F32 min = V::load(panel.min + row);
      for (int a = 0; a < kActs; ++a) {
        const float* s16 = sum + a * (n / kActGroup) + g * kGroupsOf16;
        const float total = kGroupsOf16 == 1 ? s16[0] : s16[0] + s16[1];
        acc[s][a] = V::fma(min, V::set1(total), acc[s][a]);
      }
    }
  }
}

// Where the sums of the micro-kernel go: out + a * out_stride, `rows` of them that exist.
template <typename V, int kActs>
void put(const typename V::F32 (&acc)[V::kSlices][kActs], float* out, int64_t out_stride,
         int64_t rows, bool adds) {
  for (int a = 0; a < kActs; ++a, out += out_stride) {
    float sums[V::kSlices * V::kWidth];
    for (int s = 0; s < V::kSlices; ++s) V::store(sums + s * V::kWidth, acc[s][a]);
    for (int64_t r = 0; r < rows; ++r) out[r] = adds ? out[r] + sums[r] : sums[r];
  }
}

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Calls body<kActs>(at) over all activation rows: kMost at a time, then one by one.
template <int kMost, typename Body>
void each_tile(int64_t rows, const Body& body) {
  int64_t at = 0;
  for (; at + kMost <= rows; at += kMost) body.template operator()<kMost>(at);
  for (; at < rows; ++at) body.template operator()<1>(at);
}

template <typename V, typename U>
struct CodeTile {
  const CodePanel& panel;
  const Activations& x;
  float* out;
  int64_t out_stride;
  int64_t rows;

  template <int kActs>
  void operator()(int64_t at) const {
    for (int64_t r = 0; r < rows; r += V::kSlices * V::kWidth) {
      typename V::F32 acc[V::kSlices][kActs];
      multiply_codes<V, U, kActs>(panel, r, x, at, acc);
      put<V, kActs>(acc, out + at * out_stride + r, out_stride,
                    least(rows - r, V::kSlices * V::kWidth), false);
    }
  }
};

template <typename V, typename U>
void mul_mat_blocks(const void* weights, int64_t row_bytes, int64_t rows, const Activations& x,
                    float* out, int64_t out_stride, void* memory) {
  const auto* row = static_cast<const uint8_t*>(weights);
  const CodePanel panel(memory, x.n);
  for (int64_t first = 0; first < rows; first += kPanelRows) {
    const int64_t count = least(rows - first, kPanelRows);
    for (int64_t r = 0; r < count; ++r)
      fill_row<V, U>(row + (first + r) * row_bytes, x.n, r, panel);
    for (int64_t r = count; r < kPanelRows; ++r) clear_row<U>(x.n, r, panel);
    each_tile<V::kActs>(x.rows, CodeTile<V, U>{panel, x, out + first, out_stride, count});
  }
}

// A panel of f32: [k][row], a stretch of the rows at a time so that it stays in the first cache.
template <typename V, typename Load>
void fill_floats(const uint8_t* weights, int64_t row_bytes, int64_t rows, int64_t from,
                 int64_t count, float* panel) {
  for (int64_t r = 0; r < kPanelRows; ++r, weights += row_bytes) {
    float values[kFloatStretch] = {};
    if (r < rows) {
      const auto* row = reinterpret_cast<const typename Load::Value*>(weights) + from;
      int64_t k = 0;
      for (; k + V::kWidth <= count; k += V::kWidth) V::store(values + k, Load::lanes(row + k));
      for (; k < count; ++k) values[k] = Load::one(row[k]);
    }
    for (int64_t k = 0; k < count; ++k) panel[k * kPanelRows + r] = values[k];
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
  void operator()(int64_t at) const {
    const float* a0 = x.f32 + at * x.n + from;
    for (int64_t r = 0; r < rows; r += V::kSlices * V::kWidth) {
      typename V::F32 acc[V::kSlices][kActs];
      for (auto& slice : acc) {
        for (auto& lanes : slice) lanes = V::set1(0.0f);
      }
      for (int64_t k = 0; k < count; ++k) {
        const float* lanes = panel + k * kPanelRows + r;
        for (int a = 0; a < kActs; ++a) {
          const typename V::F32 value = V::set1(a0[a * x.n + k]);
          for (int s = 0; s < V::kSlices; ++s)
            acc[s][a] = V::fma(V::load(lanes + s * V::kWidth), value, acc[s][a]);
        }
      }
      put<V, kActs>(acc, out + at * out_stride + r, out_stride,
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
      each_tile<V::kActs>(x.rows,
                          FloatTile<V>{panel, x, from, stretch, out + first, out_stride, count});
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

}  // namespace
}  // namespace nibble
