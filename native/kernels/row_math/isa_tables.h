#pragma once

#include "kernels/row_math/row_math.h"

// The functions, one set per instruction set; each is in the file of that name. They are plain
// loops: where all processors have the vectors that a compiler makes, `generic` is the only one.
namespace nibble {

extern const RowMath kRowMath_x86_avx512;
extern const RowMath kRowMath_x86_avx2;
extern const RowMath kRowMath_generic;

// Those of this architecture, best first.
#if defined(__x86_64__) || defined(_M_X64)
constexpr const RowMath* kRowMathTables[] = {&kRowMath_x86_avx512, &kRowMath_x86_avx2,
                                             &kRowMath_generic};
#else
constexpr const RowMath* kRowMathTables[] = {&kRowMath_generic};
#endif

}  // namespace nibble
