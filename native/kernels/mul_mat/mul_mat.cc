#include "kernels/mul_mat/mul_mat.h"

#include "kernels/mul_mat/isa_tables.h"

namespace nibble {

int64_t panel_bytes(int64_t n) {
  // Codes of up to two bytes (or f32 values of a stretch of the row), and a scale and a min for
  // every 16 values.
  const int64_t codes = 2 * kPanelRows * n;
  const int64_t scales = kPanelRows * (n / kActGroup) * 2 * static_cast<int64_t>(sizeof(float));
  const int64_t floats = kPanelRows * kFloatStretch * static_cast<int64_t>(sizeof(float));
  return codes + scales > floats ? codes + scales : floats;
}

MulMat find_mul_mat(const Format& format, Isa isa, Isa* used) {
  return find_kernel<MulMat>(kMulMatTables, format, isa, nullptr, used);
}

}  // namespace nibble
