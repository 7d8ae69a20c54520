#pragma once

#include <cstddef>
#include <cstdint>

#include "formats/formats.h"
#include "kernels/arch.h"

// How a family finds its kernel: a table per instruction set, a row per format.
namespace nibble {

template <typename Kernel>
struct KernelRow {
  uint32_t format;  // ggml id
  Kernel kernel;
};

template <typename Kernel>
struct KernelTable {
  Isa isa;
  const KernelRow<Kernel>* rows;
  size_t count;
};

// The first table, best first, that is not better than `isa` and has the format; the scalar
// reference where none has.
template <typename Kernel, size_t n>
Kernel find_kernel(const KernelTable<Kernel>* const (&tables)[n], const Format& format, Isa isa,
                   Kernel reference, Isa* used) {
  for (const KernelTable<Kernel>* table : tables) {
    if (table == nullptr || table->isa < isa || !isa_supported(table->isa)) continue;
    for (size_t i = 0; i < table->count; ++i) {
      if (table->rows[i].format != format.id) continue;
      if (used != nullptr) *used = table->isa;
      return table->rows[i].kernel;
    }
  }
  if (used != nullptr) *used = Isa::kGeneric;
  return reference;
}

}  // namespace nibble
