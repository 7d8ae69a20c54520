#include "stream/quantize_stream.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/workers.h"
#include "kernels/dequantize_row/dequantize_row.h"
#include "kernels/quantize_row/quantize_row.h"
#include "stream/finite.h"
#include "stream/source_rows.h"
#include "stream/tiles.h"

namespace nibble {
namespace {

// A thread's buffers: the source's blocks, their values, the output's blocks.
struct Buffers {
  SourceBuffers reading;
  AlignedBuffer source;
  AlignedBuffer values;
  AlignedBuffer blocks;
};

// The kernels of a task, looked up once. Of the two that quantize at most one is there, and none
// where the bytes are copied as they are.
struct Kernels {
  DequantizeRow dequantize = nullptr;
  QuantizeRow quantize = nullptr;
  QuantizeWeighted quantize_weighted = nullptr;
};

std::vector<Kernels> find_kernels(const std::vector<Task>& tasks, Isa isa) {
  std::vector<Kernels> kernels(tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
    // The source's values are looked at even where its bytes are copied, as far as the type has a
    // codec.
    kernels[i].dequantize = find_dequantize_row(*tasks[i].from, isa);
    if (tasks[i].from == tasks[i].to) continue;
    if (tasks[i].is_weighted()) {
      kernels[i].quantize_weighted = find_quantize_weighted(*tasks[i].to, isa);
    } else {
      kernels[i].quantize = find_quantize_row(*tasks[i].to, isa);
    }
  }
  return kernels;
}

[[noreturn]] void throw_non_finite(const StreamOptions& options, const Task& task, const Tile& tile,
                                   const float* values) {
  int64_t i = 0;
  while (std::isfinite(values[i])) ++i;
  const int64_t value = tile.first + i;
  Error error(ErrorCode::kFormat,
              task.name + ": the value in row " + std::to_string(value / task.n_per_row) +
                  ", column " + std::to_string(value % task.n_per_row) + " is " +
                  (std::isnan(values[i]) ? "NaN" : "infinite") +
                  "; such weights cannot be quantized, fetch or train the model again");
  if (!task.pieces.empty())
    error.path = options.inputs[static_cast<size_t>(task.pieces.front().file)].path;
  throw error;
}

void quantize_weighted_rows(const Task& task, const Tile& tile, QuantizeWeighted quantize,
                            const float* values, uint8_t* blocks) {
  const int64_t n = task.n_per_row;
  for (int64_t i = 0; i < tile.count; i += n) {
    const float* importance = task.importance_of((tile.first + i) / n);
    quantize(values + i, importance, blocks + task.to->bytes(i), n);
  }
}

class QuantizeStream {
 public:
  QuantizeStream(const StreamOptions& options, Job& job)
      : options_(options),
        job_(job),
        inputs_(open_inputs(options.inputs)),
        output_(File::open_write(options.output)),
        kernels_(find_kernels(options.tasks, isa_in_use())),
        tiles_(make_tiles(options.tasks)),
        tiles_left_(new std::atomic<int64_t>[options.tasks.size()]) {
    for (size_t i = 0; i < options.tasks.size(); ++i) tiles_left_[i].store(0);
    for (const Tile& tile : tiles_) tiles_left_[static_cast<size_t>(tile.task)].fetch_add(1);
  }

  StreamTotals run() {
    for_each_on_workers<Buffers>(
        options_.threads, static_cast<int64_t>(tiles_.size()),
        [this](Buffers& buffers, int64_t i) { run_tile(buffers, tiles_[static_cast<size_t>(i)]); });
    StreamTotals totals = {0, 0};
    for (const Task& task : options_.tasks) {
      totals.bytes_read += task.bytes();
      totals.bytes_written += task.to->bytes(task.values());
    }
    return totals;
  }

 private:
  void run_tile(Buffers& buffers, const Tile& tile) {
    const size_t index = static_cast<size_t>(tile.task);
    const int64_t step = values_at_once(options_.tasks[index]);
    for (int64_t i = 0; i < tile.count; i += step) {
      job_.throw_if_cancelled();
      run_part(buffers, tile, {tile.task, tile.first + i, std::min(step, tile.count - i)});
    }
    if (tiles_left_[index].fetch_sub(1) == 1) job_.finish_task(tile.task);
  }

  void run_part(Buffers& buffers, const Tile& tile, const Tile& part) {
    const Task& task = options_.tasks[static_cast<size_t>(tile.task)];
    const Kernels& kernels = kernels_[static_cast<size_t>(tile.task)];
    uint8_t* source = buffers.source.reserve<uint8_t>(task.from->bytes(part.count));
    read_source(inputs_, task, tile, part.first, part.count, source, buffers.reading);

    const float* values = nullptr;
    if (kernels.dequantize != nullptr) {
      float* to = buffers.values.reserve<float>(part.count);
      kernels.dequantize(source, to, part.count);
      if (count_non_finite(to, part.count) != 0) throw_non_finite(options_, task, part, to);
      values = to;
    }
    const uint8_t* blocks = source;
    if (kernels.quantize != nullptr) {
      uint8_t* to = buffers.blocks.reserve<uint8_t>(task.to->bytes(part.count));
      kernels.quantize(values, to, part.count);
      blocks = to;
    } else if (kernels.quantize_weighted != nullptr) {
      uint8_t* to = buffers.blocks.reserve<uint8_t>(task.to->bytes(part.count));
      quantize_weighted_rows(task, part, kernels.quantize_weighted, values, to);
      blocks = to;
    }
    output_.write(blocks, task.to->bytes(part.count),
                  task.output_offset + task.to->bytes(part.first));
    job_.add_done(bytes_done(task, part));
  }

  // A part's share of the source's bytes; all together have them all.
  static int64_t bytes_done(const Task& task, const Tile& part) {
    const double each = static_cast<double>(task.bytes()) / static_cast<double>(task.values());
    const auto until = [each](int64_t value) {
      return static_cast<int64_t>(std::round(each * static_cast<double>(value)));
    };
    return until(part.first + part.count) - until(part.first);
  }

  const StreamOptions& options_;
  Job& job_;
  const std::vector<File> inputs_;
  const File output_;
  const std::vector<Kernels> kernels_;
  const std::vector<Tile> tiles_;
  const std::unique_ptr<std::atomic<int64_t>[]> tiles_left_;
};

}  // namespace

StreamTotals quantize_stream(const StreamOptions& options, Job& job) {
  return QuantizeStream(options, job).run();
}

}  // namespace nibble
