#include <algorithm>

#include "base/error.h"
#include "encodings/encoded_rows.h"

namespace nibble {
namespace {

// The groups that a window needs, and the group of each of its columns.
struct Groups {
  int64_t first;
  int64_t count;
  // Counted from `first`; empty where columns are in order.
  const std::vector<int32_t>& of_columns;
};

[[noreturn]] void throw_no_group(const std::vector<File>& files, const std::string& name,
                                 const GroupIndex& index, int64_t column, int64_t group,
                                 int64_t groups) {
  Error error(ErrorCode::kFormat, name + ": its g_idx puts column " + std::to_string(column) +
                                      " into group " + std::to_string(group) + ", and there are " +
                                      std::to_string(groups) +
                                      "; the file is damaged, fetch it again");
  error.path = files[static_cast<size_t>(index.file)].path();
  error.offset = index.offset + column * int64_t{sizeof(int32_t)};
  throw error;
}

Groups find_groups(const std::vector<File>& files, const std::string& name,
                   const ScaledCodes& codes, const Window& window, std::vector<int32_t>& indices) {
  indices.clear();
  const int64_t end = window.column + window.columns;
  const int64_t first = window.column / codes.columns_per_scale;
  const Groups in_order = {first, (end - 1) / codes.columns_per_scale + 1 - first, indices};
  if (!codes.groups || !codes.scales) return in_order;
  indices.resize(static_cast<size_t>(window.columns));
  files[static_cast<size_t>(codes.groups->file)].read(
      indices.data(), window.columns * int64_t{sizeof(int32_t)},
      codes.groups->offset + window.column * int64_t{sizeof(int32_t)});
  const int64_t groups = codes.scales->columns;
  // An index of nothing but -1 was never filled in.
  if (std::all_of(indices.begin(), indices.end(), [](int32_t group) { return group == -1; })) {
    indices.clear();
    return in_order;
  }
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= groups) {
      throw_no_group(files, name, *codes.groups, window.column + static_cast<int64_t>(i),
                     indices[i], groups);
    }
  }
  return {0, groups, indices};
}

// The rows of scales that rows of codes need.
Panel scaled_rows(const Panel& rows, int64_t rows_per_scale) {
  const int64_t first = rows.row / rows_per_scale;
  return {first, (rows.row + rows.rows - 1) / rows_per_scale + 1 - first};
}

void scale_in_order(const Window& window, int64_t columns_per_scale, const float* scales,
                    const float* zeros, float* values) {
  for (int64_t c = 0; c < window.columns;) {
    const int64_t within = (window.column + c) % columns_per_scale;
    const int64_t end = std::min(window.columns, c + columns_per_scale - within);
    const float scale = *scales++;
    const float zero = *zeros++;
    for (; c < end; ++c) values[c] = (values[c] - zero) * scale;
  }
}

void scale_by_index(const Window& window, const int32_t* groups, const float* scales,
                    const float* zeros, float* values) {
  for (int64_t c = 0; c < window.columns; ++c) {
    values[c] = (values[c] - zeros[groups[c]]) * scales[groups[c]];
  }
}

}  // namespace

void decode_window(const std::vector<File>& files, const std::string& name,
                   const ScaledCodes& codes, const Window& window, const Panel& panel, float* to,
                   int64_t stride, DecodeBuffers& buffers) {
  read_numbers(files, codes.codes, window, panel, to, stride, buffers.code_words);
  if (!codes.scales) return;
  const Groups groups = find_groups(files, name, codes, window, buffers.groups);
  const auto [first_row, scale_rows] = scaled_rows({window.row, window.rows}, codes.rows_per_scale);
  const Panel scale_panel = scaled_rows(panel, codes.rows_per_scale);
  const Window needed = {first_row, scale_rows, groups.first, groups.count};
  float* scales = buffers.scales.reserve<float>(scale_rows * groups.count);
  read_numbers(files, *codes.scales, needed, scale_panel, scales, groups.count,
               buffers.scale_words);
  float* zeros = buffers.zeros.reserve<float>(scale_rows * groups.count);
  if (codes.zeros) {
    read_numbers(files, *codes.zeros, needed, scale_panel, zeros, groups.count, buffers.zero_words);
    for (int64_t i = 0; i < scale_rows * groups.count; ++i) zeros[i] += codes.zero_bias;
  } else {
    std::fill_n(zeros, scale_rows * groups.count, codes.zero_bias);
  }
  for (int64_t r = 0; r < window.rows; ++r) {
    const int64_t at = ((window.row + r) / codes.rows_per_scale - first_row) * groups.count;
    float* values = to + r * stride;
    if (groups.of_columns.empty()) {
      scale_in_order(window, codes.columns_per_scale, scales + at, zeros + at, values);
    } else {
      scale_by_index(window, groups.of_columns.data(), scales + at, zeros + at, values);
    }
  }
}

}  // namespace nibble
