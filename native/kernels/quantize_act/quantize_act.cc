#include "kernels/quantize_act/quantize_act.h"

#include <cmath>

#include "formats/super_block.h"

namespace nibble {

// Of the work of a product with R rows this is the R-th part, so that the compiler's own vectors
// do.
void quantize_act(const float* x, int64_t n, int8_t* codes, float* scale, int32_t* code_sum,
                  float* sum) {
  for (int64_t i = 0; i < n; i += kActBlock, x += kActBlock, codes += kActBlock) {
    float largest = 0.0f;
    float nothing = 0.0f;  // 0 * x: NaN where a value is not finite
    for (int j = 0; j < kActBlock; ++j) {
      const float magnitude = std::fabs(x[j]);
      largest = magnitude > largest ? magnitude : largest;
      nothing += 0.0f * x[j];
    }
    const float d = largest / 127.0f + nothing;
    // A d whose inverse is infinite is that of values which are nothing beside any other.
    const bool is_nothing = d <= 1e-37f;
    const float id = d > 1e-37f ? 1.0f / d : 0.0f;
    *scale = is_nothing ? 0.0f : d;
    int32_t sums[2] = {0, 0};
    for (int j = 0; j < kActBlock; ++j) {
      const int code = nearest_int(x[j] * id);
      codes[j] = static_cast<int8_t>(code);
      sums[j / kActGroup] += code;
    }
    for (const int32_t total : sums) {
      *code_sum++ = total;
      *sum++ = *scale * static_cast<float>(total);
    }
    ++scale;
  }
}

}  // namespace nibble
