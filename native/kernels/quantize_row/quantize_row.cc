#include "kernels/quantize_row/quantize_row.h"

#include "kernels/quantize_row/isa_tables.h"

namespace nibble {

QuantizeRow find_quantize_row(const Format& format, Isa isa, Isa* used) {
  return find_kernel(kQuantizeRowTables, format, isa, format.quantize_row, used);
}

QuantizeWeighted find_quantize_weighted(const Format& format, Isa isa, Isa* used) {
  return find_kernel(kQuantizeWeightedTables, format, isa, format.quantize_weighted, used);
}

}  // namespace nibble
