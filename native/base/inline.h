#pragma once

// Inlined whatever the compiler's limits are, for a loop's body whose registers a call would spill.
#if defined(_MSC_VER)
#define NIBBLE_INLINE __forceinline
#else
#define NIBBLE_INLINE inline __attribute__((always_inline))
#endif
