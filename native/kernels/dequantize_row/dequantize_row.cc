#include "kernels/dequantize_row/dequantize_row.h"

#include "kernels/dequantize_row/isa_tables.h"

namespace nibble {

DequantizeRow find_dequantize_row(const Format& format, Isa isa, Isa* used) {
  return find_kernel(kDequantizeRowTables, format, isa, format.dequantize_row, used);
}

}  // namespace nibble
