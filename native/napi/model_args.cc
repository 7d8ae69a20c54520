#include "napi/model_args.h"

#include <string>

namespace nibble {
namespace {

int64_t integer(const Napi::Object& object, const char* key) {
  return integer_arg(object.Get(key));
}

float number(const Napi::Object& object, const char* key) {
  return object.Get(key).As<Napi::Number>().FloatValue();
}

std::vector<TensorPlace> places(const Napi::Value& value) {
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<TensorPlace> result;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::HandleScope scope(list.Env());
    const Napi::Object row = list.Get(i).As<Napi::Object>();
    result.push_back({row.Get("name").As<Napi::String>(), integer(row, "file"),
                      integer(row, "offset"), static_cast<uint32_t>(integer(row, "format")),
                      integer(row, "perRow"), integer(row, "rows")});
  }
  return result;
}

}  // namespace

int64_t integer_arg(const Napi::Value& value) { return value.As<Napi::Number>().Int64Value(); }

std::vector<int32_t> tokens_arg(const Napi::Value& value) {
  const Napi::Int32Array array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

ModelConfig model_config_arg(const Napi::Object& options) {
  const Napi::Object object = options.Get("config").As<Napi::Object>();
  ModelConfig config;
  config.layers = integer(object, "layers");
  config.width = integer(object, "width");
  config.heads = integer(object, "heads");
  config.kv_heads = integer(object, "kvHeads");
  config.head_dim = integer(object, "headDim");
  config.ffn_width = integer(object, "ffnWidth");
  config.vocabulary = integer(object, "vocabulary");
  config.rms_eps = number(object, "rmsEps");
  config.attention_scale = number(object, "attentionScale");
  config.window = integer(object, "window");
  config.rope_halves = object.Get("ropeHalves").As<Napi::Boolean>();
  config.rope_scale = number(object, "ropeScale");
  const auto frequencies = object.Get("ropeFrequencies").As<Napi::Float64Array>();
  config.rope_frequencies.assign(frequencies.Data(),
                                 frequencies.Data() + frequencies.ElementLength());
  return config;
}

ModelFiles model_files_arg(const Napi::Object& options) {
  ModelFiles result;
  const Napi::Array files = options.Get("files").As<Napi::Array>();
  for (uint32_t i = 0; i < files.Length(); ++i) {
    const Napi::Object file = files.Get(i).As<Napi::Object>();
    result.files.push_back({file.Get("path").As<Napi::String>(), integer(file, "bytes")});
  }
  result.tensors = places(options.Get("tensors"));
  const Napi::Array layers = options.Get("layers").As<Napi::Array>();
  for (uint32_t i = 0; i < layers.Length(); ++i) result.layers.push_back(places(layers.Get(i)));
  return result;
}

ContextOptions context_options_arg(const Napi::Value& value) {
  const Napi::Object object = value.As<Napi::Object>();
  const std::string cache = object.Get("cache").As<Napi::String>();
  return {integer(object, "capacity"), static_cast<int>(integer(object, "threads")),
          cache == "Q8_0" ? CacheType::kQ8_0 : CacheType::kF16};
}

}  // namespace nibble
