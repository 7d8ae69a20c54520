#pragma once

// Every Unpack there is; unpacks.inc names them.
#include "kernels/unpack/unpack.h"
#include "kernels/unpack/unpack_few_bits.h"
#include "kernels/unpack/unpack_floats.h"
#include "kernels/unpack/unpack_iq.h"
#include "kernels/unpack/unpack_k.h"
#include "kernels/unpack/unpack_levels.h"
