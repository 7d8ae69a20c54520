#include "stream/compare_stream.h"

#include <algorithm>
#include <cmath>

#include "base/aligned_buffer.h"
#include "base/file.h"
#include "base/workers.h"
#include "kernels/dequantize_row/dequantize_row.h"
#include "stream/finite.h"
#include "stream/source_rows.h"
#include "stream/tiles.h"

namespace nibble {
namespace {

struct Buffers {
  SourceBuffers reading;
  AlignedBuffer blocks;
  AlignedBuffer x;
  AlignedBuffer y;
};

// Values per partial sum: short runs in order, so that the result is the same on every machine and
// still accurate.
void add_errors(const float* x, const float* y, int64_t n, ErrorStats* stats) {
  // Eight sums side by side let the compiler vectorise without reordering any of them.
  constexpr int64_t kLanes = 8;
  double error[kLanes] = {};
  double square[kLanes] = {};
  float worst[kLanes] = {};
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t lanes = std::min(kLanes, n - i);
    for (int64_t j = 0; j < lanes; ++j) {
      const double d = static_cast<double>(x[i + j]) - static_cast<double>(y[i + j]);
      error[j] += d * d;
      square[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
      worst[j] = std::max(worst[j], static_cast<float>(std::fabs(d)));
    }
  }
  for (int64_t j = 0; j < kLanes; ++j) {
    stats->sum_squared_error += error[j];
    stats->sum_squares += square[j];
    stats->max_abs_error = std::max(stats->max_abs_error, static_cast<double>(worst[j]));
  }
}

class CompareStream {
 public:
  CompareStream(const StreamOptions& options, Job& job)
      : options_(options),
        job_(job),
        inputs_(open_inputs(options.inputs)),
        output_(File::open_read(options.output)),
        isa_(isa_in_use()),
        tiles_(make_tiles(options.tasks)),
        stats_(tiles_.size()) {}

  std::vector<ErrorStats> run() {
    for_each_on_workers<Buffers>(options_.threads, static_cast<int64_t>(tiles_.size()),
                                 [this](Buffers& buffers, int64_t i) {
                                   const size_t tile = static_cast<size_t>(i);
                                   stats_[tile] = compare_tile(buffers, tiles_[tile]);
                                 });
    std::vector<ErrorStats> by_task(options_.tasks.size());
    for (size_t i = 0; i < tiles_.size(); ++i)
      by_task[static_cast<size_t>(tiles_[i].task)].add(stats_[i]);
    return by_task;
  }

 private:
  ErrorStats compare_tile(Buffers& buffers, const Tile& tile) {
    const int64_t step = values_at_once(options_.tasks[static_cast<size_t>(tile.task)]);
    ErrorStats stats;
    for (int64_t i = 0; i < tile.count; i += step) {
      job_.throw_if_cancelled();
      stats.add(
          compare_part(buffers, tile, {tile.task, tile.first + i, std::min(step, tile.count - i)}));
    }
    return stats;
  }

  ErrorStats compare_part(Buffers& buffers, const Tile& tile, const Tile& part) {
    const Task& task = options_.tasks[static_cast<size_t>(tile.task)];
    const int64_t n = part.count;
    const int64_t bytes = task.to->bytes(n);
    ErrorStats stats;
    if (task.to->has_codec()) {
      uint8_t* blocks = buffers.blocks.reserve<uint8_t>(bytes);
      output_.read(blocks, bytes, task.output_offset + task.to->bytes(part.first));
      float* y = buffers.y.reserve<float>(n);
      find_dequantize_row(*task.to, isa_)(blocks, y, n);
      stats.non_finite = count_non_finite(y, n);
      stats.invalid_blocks = task.to->count_invalid(blocks, n);
      if (task.has_source() && task.from->has_codec()) {
        uint8_t* source = buffers.blocks.reserve<uint8_t>(task.from->bytes(n));
        read_source(inputs_, task, tile, part.first, n, source, buffers.reading);
        float* x = buffers.x.reserve<float>(n);
        find_dequantize_row(*task.from, isa_)(source, x, n);
        add_errors(x, y, n, &stats);
      }
    }
    job_.add_done(bytes);
    return stats;
  }

  const StreamOptions& options_;
  Job& job_;
  const std::vector<File> inputs_;
  const File output_;
  const Isa isa_;
  const std::vector<Tile> tiles_;
  std::vector<ErrorStats> stats_;
};

}  // namespace

void ErrorStats::add(const ErrorStats& other) {
  non_finite += other.non_finite;
  invalid_blocks += other.invalid_blocks;
  max_abs_error = std::max(max_abs_error, other.max_abs_error);
  sum_squared_error += other.sum_squared_error;
  sum_squares += other.sum_squares;
}

std::vector<ErrorStats> compare_stream(const StreamOptions& options, Job& job) {
  return CompareStream(options, job).run();
}

}  // namespace nibble
