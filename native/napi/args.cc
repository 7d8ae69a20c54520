#include "napi/args.h"

#include <cmath>
#include <utility>

namespace nibble {
namespace {

[[noreturn]] void type_error(Napi::Env env, const std::string& expected) {
  throw Napi::TypeError::New(env, "expected " + expected);
}

int64_t integer(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    // Integers up to 2^53 are exact.
    if (number >= 0 && number <= 9007199254740992.0 && number == std::floor(number)) {
      return static_cast<int64_t>(number);
    }
  }
  type_error(object.Env(), std::string(key) + " to be an integer of at least 0");
}

std::string string(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsString()) type_error(object.Env(), std::string(key) + " to be a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object object_of(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) type_error(value.Env(), std::string(what) + " to be an object");
  return value.As<Napi::Object>();
}

template <typename T, typename F>
std::vector<T> list(const Napi::Object& object, const char* key, const F& convert) {
  const Napi::Value value = object.Get(key);
  if (!value.IsArray()) type_error(object.Env(), std::string(key) + " to be an array");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<T> result;
  result.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(object.Env());
    result.push_back(convert(object_of(array.Get(i), key)));
  }
  return result;
}

Task task_of(const Napi::Object& object, size_t inputs) {
  Task task;
  task.name = string(object, "name");
  task.pieces = list<Piece>(object, "pieces", [&](const Napi::Object& piece) {
    return Piece{integer(piece, "file"), integer(piece, "offset"), integer(piece, "bytes")};
  });
  task.from = &format_arg(object.Get("from"));
  task.to = &format_arg(object.Get("to"));
  task.n_per_row = integer(object, "perRow");
  task.rows = integer(object, "rows");
  task.head_dim = integer(object, "headDim");
  task.output_offset = integer(object, "outputOffset");
  const Napi::Value importance = object.Get("importance");
  if (importance.IsTypedArray()) {
    const auto array = importance.As<Napi::Float32Array>();
    task.importance.assign(array.Data(), array.Data() + array.ElementLength());
  }

  // What the streams rely on; a wrong table is a bug on the other side of the border.
  const Napi::Env env = object.Env();
  const int64_t n = task.n_per_row;
  if (n < 1 || n % task.from->values_per_block != 0 || n % task.to->values_per_block != 0) {
    type_error(env, "perRow of " + task.name + " to be a multiple of both blocks");
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
  int64_t bytes = 0;
  for (const Piece& piece : task.pieces) {
    if (static_cast<size_t>(piece.file) >= inputs && inputs != 0)
      type_error(env, "a piece's file to be one of inputs");
    bytes += piece.bytes;
  }
  if (inputs != 0 && bytes != task.from->bytes(task.values())) {
    type_error(env, "pieces of " + task.name + " to be as long as the tensor");
  }
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
