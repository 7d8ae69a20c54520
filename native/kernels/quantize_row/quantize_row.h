#pragma once

#include "formats/formats.h"
#include "kernels/arch.h"

// f32 to blocks. FILE contract: the bytes of every ISA equal those of the scalar reference.
namespace nibble {

// The kernel of `isa` for the format, or the next worse one's where that ISA has none, down to the
// scalar reference. Null only where the format has no codec. `*used` says whose kernel it is.
QuantizeRow find_quantize_row(const Format& format, Isa isa, Isa* used = nullptr);

// The same for rows with an importance. Null where importance changes nothing.
QuantizeWeighted find_quantize_weighted(const Format& format, Isa isa, Isa* used = nullptr);

}  // namespace nibble
