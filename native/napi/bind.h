#pragma once

#include <napi.h>

namespace nibble {

Napi::Value js_machine(const Napi::CallbackInfo& info);
Napi::Value js_formats(const Napi::CallbackInfo& info);
Napi::Value js_quantize_rows(const Napi::CallbackInfo& info);
Napi::Value js_quantize_weighted_rows(const Napi::CallbackInfo& info);
Napi::Value js_dequantize_rows(const Napi::CallbackInfo& info);
Napi::Value js_quantize_stream(const Napi::CallbackInfo& info);
Napi::Value js_compare_stream(const Napi::CallbackInfo& info);
Napi::Value js_measure_machine(const Napi::CallbackInfo& info);
Napi::Value js_load_model(const Napi::CallbackInfo& info);

}  // namespace nibble
