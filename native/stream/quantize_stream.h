#pragma once

#include <cstdint>

#include "base/job.h"
#include "stream/tasks.h"

namespace nibble {

struct StreamTotals {
  int64_t bytes_read;
  int64_t bytes_written;
};

// Source to output, tile by tile: read, f32, quantize_row, write at the tile's offset. Threads take
// tiles in any order; the bytes do not depend on that. Memory is a few MiB per thread, whatever the
// model. A value that is NaN or infinite is an error (kFormat) that names tensor and position.
// Stops within a tile when the job is cancelled (kAborted).
StreamTotals quantize_stream(const StreamOptions& options, Job& job);

}  // namespace nibble
