#include "kernels/quantize_row/quantize_row.h"

#include "kernels/quantize_row/isa_tables.h"

namespace nibble {

QuantizeRow find_quantize_row(const Format& format, Isa isa, Isa* used) {
  return find_kernel(kQuantizeRowTables, format, isa, format.quantize_row, used);
}

}  // namespace nibble
