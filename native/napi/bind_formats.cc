#include <napi.h>

#include <cstring>
#include <string>

#include "base/cores.h"
#include "base/error.h"
#include "kernels/arch.h"
#include "kernels/dequantize_row/dequantize_row.h"
#include "kernels/quantize_row/quantize_row.h"
#include "napi/args.h"
#include "napi/bind.h"

namespace nibble {
namespace {

Isa isa_arg(const Napi::Value& value) {
  if (value.IsUndefined()) return isa_in_use();
  Isa isa;
  if (!value.IsString() || !find_isa(value.As<Napi::String>().Utf8Value().c_str(), &isa) ||
      !isa_supported(isa)) {
    throw Napi::TypeError::New(value.Env(), "expected an instruction set that this machine runs");
  }
  return isa;
}

const Format& codec_arg(const Napi::Value& id) {
  const Format& format = format_arg(id);
  if (!format.has_codec()) throw Napi::TypeError::New(id.Env(), "expected a type with a codec");
  return format;
}

template <typename T>
T array_arg(const Napi::Value& value, napi_typedarray_type type) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Napi::TypeError::New(value.Env(), "expected a typed array of the right kind");
  }
  return value.As<T>();
}

void check_multiple(Napi::Env env, int64_t n, int64_t of) {
  if (n % of != 0) throw Napi::TypeError::New(env, "expected whole blocks");
}

}  // namespace

Napi::Value js_machine(const Napi::CallbackInfo& info) {
  Napi::Object machine = Napi::Object::New(info.Env());
  Napi::Array isas = Napi::Array::New(info.Env());
  for (const Isa isa : kAllIsas) {
    if (isa_supported(isa)) isas.Set(isas.Length(), isa_name(isa));
  }
  machine.Set("isas", isas);
  machine.Set("isa", isa_name(isa_in_use()));
  machine.Set("cores", available_cores());
  return machine;
}

Napi::Value js_formats(const Napi::CallbackInfo& info) {
  size_t count;
  const Format* rows = formats(&count);
  Napi::Array list = Napi::Array::New(info.Env(), count);
  for (size_t i = 0; i < count; ++i) {
    Napi::Object row = Napi::Object::New(info.Env());
    row.Set("name", rows[i].name);
    row.Set("id", rows[i].id);
    row.Set("values", static_cast<double>(rows[i].values_per_block));
    row.Set("bytes", static_cast<double>(rows[i].bytes_per_block));
    row.Set("codec", rows[i].has_codec());
    list.Set(static_cast<uint32_t>(i), row);
  }
  return list;
}

Napi::Value js_quantize_rows(const Napi::CallbackInfo& info) {
  const Format& format = codec_arg(info[0]);
  const auto values = array_arg<Napi::Float32Array>(info[1], napi_float32_array);
  const int64_t n = static_cast<int64_t>(values.ElementLength());
  check_multiple(info.Env(), n, format.values_per_block);
  if (format.quantize_row == nullptr)
    throw Napi::TypeError::New(info.Env(), "expected a type that needs no importance");
  Napi::Uint8Array blocks = Napi::Uint8Array::New(info.Env(), static_cast<size_t>(format.bytes(n)));
  find_quantize_row(format, isa_arg(info[2]))(values.Data(), blocks.Data(), n);
  return blocks;
}

Napi::Value js_quantize_weighted_rows(const Napi::CallbackInfo& info) {
  const Format& format = codec_arg(info[0]);
  const auto values = array_arg<Napi::Float32Array>(info[1], napi_float32_array);
  const auto importance = array_arg<Napi::Float32Array>(info[2], napi_float32_array);
  const int64_t n = static_cast<int64_t>(values.ElementLength());
  const int64_t row = static_cast<int64_t>(importance.ElementLength());
  if (row == 0) throw Napi::TypeError::New(info.Env(), "expected importances");
  check_multiple(info.Env(), row, format.values_per_block);
  check_multiple(info.Env(), n, row);
  Napi::Uint8Array blocks = Napi::Uint8Array::New(info.Env(), static_cast<size_t>(format.bytes(n)));
  const Isa isa = isa_arg(info[3]);
  const QuantizeWeighted weighted = find_quantize_weighted(format, isa);
  for (int64_t i = 0; i < n; i += row) {
    const float* x = values.Data() + i;
    uint8_t* out = blocks.Data() + format.bytes(i);
    if (weighted == nullptr) {
      find_quantize_row(format, isa)(x, out, row);
    } else {
      weighted(x, importance.Data(), out, row);
    }
  }
  return blocks;
}

Napi::Value js_dequantize_rows(const Napi::CallbackInfo& info) {
  const Format& format = codec_arg(info[0]);
  const auto blocks = array_arg<Napi::Uint8Array>(info[1], napi_uint8_array);
  const int64_t bytes = static_cast<int64_t>(blocks.ElementLength());
  check_multiple(info.Env(), bytes, format.bytes_per_block);
  const int64_t n = bytes / format.bytes_per_block * format.values_per_block;
  Napi::Float32Array values = Napi::Float32Array::New(info.Env(), static_cast<size_t>(n));
  find_dequantize_row(format, isa_arg(info[2]))(blocks.Data(), values.Data(), n);
  return values;
}

}  // namespace nibble
