#pragma once

#include "formats/formats.h"
#include "kernels/arch.h"

// Blocks to f32. FILE contract: the floats of every ISA equal those of the scalar reference, bit
// for bit.
namespace nibble {

// As find_quantize_row.
DequantizeRow find_dequantize_row(const Format& format, Isa isa, Isa* used = nullptr);

}  // namespace nibble
