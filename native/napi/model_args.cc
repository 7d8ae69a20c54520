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

bool flag(const Napi::Object& object, const char* key) {
  return object.Get(key).As<Napi::Boolean>();
}

std::vector<double> reals(const Napi::Object& object, const char* key) {
  const auto array = object.Get(key).As<Napi::Float64Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

// body(element) for the objects of a list.
template <typename Body>
void each(const Napi::Object& object, const char* key, const Body& body) {
  const Napi::Array list = object.Get(key).As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::HandleScope scope(list.Env());
    body(list.Get(i).As<Napi::Object>());
  }
}

std::vector<TensorPlace> places(const Napi::Value& value) {
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<TensorPlace> result;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::HandleScope scope(list.Env());
    const Napi::Object row = list.Get(i).As<Napi::Object>();
    result.push_back({row.Get("name").As<Napi::String>(), row.Get("source").As<Napi::String>(),
                      integer(row, "file"), integer(row, "offset"),
                      static_cast<uint32_t>(integer(row, "format")), integer(row, "perRow"),
                      integer(row, "rows")});
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
  config.width = integer(object, "width");
  config.heads = integer(object, "heads");
  config.kv_heads = integer(object, "kvHeads");
  config.head_dim = integer(object, "headDim");
  config.ffn_width = integer(object, "ffnWidth");
  config.vocabulary = integer(object, "vocabulary");
  config.positions = integer(object, "positions");
  config.norms_centered = flag(object, "normsCentered");
  config.norm_eps = number(object, "normEps");
  config.activation = flag(object, "usesGelu") ? Activation::kGelu : Activation::kSilu;
  config.embedding_scale = number(object, "embeddingScale");
  config.residual_scale = number(object, "residualScale");
  config.attention_scale = number(object, "attentionScale");
  config.attention_cap = number(object, "attentionCap");
  config.logit_scale = number(object, "logitScale");
  config.logit_cap = number(object, "logitCap");
  config.rope_halves = flag(object, "ropeHalves");
  each(object, "ropes", [&](const Napi::Object& rope) {
    config.ropes.push_back({reals(rope, "frequencies"), reals(rope, "longFrequencies"),
                            integer(rope, "longFrom"), number(rope, "scale")});
  });
  each(object, "layers", [&](const Napi::Object& layer) {
    config.layers.push_back(
        {integer(layer, "window"), integer(layer, "rope"), flag(layer, "isParallel")});
  });
  const Napi::Object experts = object.Get("experts").As<Napi::Object>();
  config.experts = {integer(experts, "count"), integer(experts, "used"), integer(experts, "width"),
                    flag(experts, "sumToOne"), integer(experts, "sharedWidth")};
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
