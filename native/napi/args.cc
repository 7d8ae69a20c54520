#include "napi/args.h"

#include <utility>

#include "napi/encoding_args.h"
#include "napi/objects.h"

namespace nibble {
namespace {

std::vector<float> floats(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsTypedArray()) return {};
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

Piece piece_of(const Napi::Object& object, const Task& task) {
  Piece piece = {integer(object, "file"), integer(object, "offset"), integer(object, "bytes"), 0,
                 nullptr};
  const Napi::Value encoding = object.Get("encoding");
  if (encoding.IsObject()) {
    const auto encoded = encoded_rows_arg(encoding.As<Napi::Object>(), task);
    piece.rows = encoded.count;
    piece.encoded = std::make_shared<const EncodedRows>(encoded.rows);
  } else {
    piece.rows = piece.bytes / task.stored->bytes(task.n_per_row);
  }
  return piece;
}

// What the streams rely on; a wrong table is a bug on the other side of the border.
void check_shape(Napi::Env env, const Task& task) {
  const int64_t n = task.n_per_row;
  if (n < 1 || n % task.from->values_per_block != 0 || n % task.to->values_per_block != 0 ||
      n % task.stored->values_per_block != 0) {
    type_error(env, "perRow of " + task.name + " to be a multiple of every block");
  }
  if (task.head_dim != 0 && (task.head_dim % 2 != 0 || task.rows % task.head_dim != 0)) {
    type_error(env, "rows of " + task.name + " to be a multiple of headDim");
  }
  if (task.from != task.to && !(task.from->has_codec() && task.to->has_codec())) {
    type_error(env, task.name + " to change between types that have a codec");
  }
  const auto weights = static_cast<int64_t>(task.importance.size());
  if (weights % n != 0 || (weights != 0 && task.rows % (weights / n) != 0)) {
    type_error(env, "importance of " + task.name + " to be rows of perRow, one per expert");
  }
  if (task.from != task.to && task.to->quantize_row == nullptr && !task.is_weighted()) {
    type_error(env, "importance for " + task.name + ", whose type needs it");
  }
}

void check_pieces(Napi::Env env, const Task& task, size_t inputs) {
  int64_t rows = 0;
  int64_t bytes = 0;
  bool are_whole = true;
  bool are_plain = !task.transposed;
  for (const Piece& piece : task.pieces) {
    if (static_cast<size_t>(piece.file) >= inputs)
      type_error(env, "pieces of " + task.name + " to lie in inputs");
    rows += piece.rows;
    bytes += piece.bytes;
    are_whole &= piece.encoded || piece.bytes == piece.rows * task.stored->bytes(task.n_per_row);
    are_plain &= !piece.encoded && piece.bytes % task.stored->bytes_per_block == 0;
  }
  const bool are_parts = task.rows == 1 && task.pieces.size() > 1;
  if (are_parts ? !are_plain || bytes != task.stored->bytes(task.n_per_row)
                : !are_whole || rows != task.rows) {
    type_error(env, "pieces of " + task.name + " to be the tensor's rows");
  }
}

void check_source(Napi::Env env, const Task& task, size_t inputs) {
  if (!task.pieces.empty()) check_pieces(env, task, inputs);
  const auto given = static_cast<int64_t>(task.given.size());
  if (given != 0 && (given != task.values() || !task.pieces.empty())) {
    type_error(env, "the values of " + task.name + " to be as many as it has");
  }
  const bool is_computed = task.from != task.stored || task.plus_one || given != 0;
  if (is_computed && (task.from->id != kIdF32 || !task.stored->has_codec())) {
    type_error(env, task.name + " to become F32, since its values are computed");
  }
  if (task.transposed && task.stored->values_per_block != 1) {
    type_error(env, "the transposed " + task.name + " to hold single values");
  }
}

Task task_of(const Napi::Object& object, size_t inputs) {
  Task task;
  task.name = string(object, "name");
  task.stored = &format_arg(object.Get("stored"));
  task.from = &format_arg(object.Get("from"));
  task.to = &format_arg(object.Get("to"));
  task.n_per_row = integer(object, "perRow");
  task.rows = integer(object, "rows");
  task.head_dim = integer(object, "headDim");
  task.transposed = boolean(object, "transposed");
  task.plus_one = boolean(object, "plusOne");
  task.output_offset = integer(object, "outputOffset");
  task.importance = floats(object, "importance");
  task.given = floats(object, "values");
  check_shape(object.Env(), task);
  task.pieces = list<Piece>(object, "pieces",
                            [&](const Napi::Object& piece) { return piece_of(piece, task); });
  check_source(object.Env(), task, inputs);
  return task;
}

}  // namespace

const Format& format_arg(const Napi::Value& id) {
  if (id.IsNumber()) {
    const Format* format = find_format(id.As<Napi::Number>().Uint32Value());
    if (format != nullptr) return *format;
  }
  type_error(id.Env(), "the id of a tensor type");
}

StreamOptions stream_options_arg(const Napi::Value& value) {
  const Napi::Object object = object_of(value, "options");
  StreamOptions options;
  options.inputs = list<Input>(object, "inputs", [](const Napi::Object& input) {
    return Input{string(input, "path"), integer(input, "bytes")};
  });
  options.output = string(object, "output");
  options.tasks = list<Task>(object, "tasks", [&](const Napi::Object& task) {
    return task_of(task, options.inputs.size());
  });
  options.threads = static_cast<int>(integer(object, "threads"));
  if (options.threads < 1 || options.threads > 4096)
    type_error(value.Env(), "threads to be 1 to 4096");
  return options;
}

}  // namespace nibble
