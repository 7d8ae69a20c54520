#include <napi.h>

#include "base/error.h"
#include "napi/bind.h"
#include "napi/promise_worker.h"

namespace nibble {
namespace {

// Errors of synchronous calls get the same code and details as those of jobs.
template <Napi::Value (*call)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return call(info);
  } catch (const Error& error) {
    throw Napi::Error(info.Env(), to_js_error(info.Env(), error));
  }
}

}  // namespace

// src/native/binding.ts has the types. All state is per environment: none here.
class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) {
    const auto add = [&](const char* name, Napi::Value (*call)(const Napi::CallbackInfo&)) {
      exports.Set(name, Napi::Function::New(env, call, name));
    };
    add("machine", guarded<js_machine>);
    add("formats", guarded<js_formats>);
    add("quantizeRows", guarded<js_quantize_rows>);
    add("quantizeWeightedRows", guarded<js_quantize_weighted_rows>);
    add("dequantizeRows", guarded<js_dequantize_rows>);
    add("quantizeStream", guarded<js_quantize_stream>);
    add("compareStream", guarded<js_compare_stream>);
    add("loadModel", guarded<js_load_model>);
    add("measureMachine", guarded<js_measure_machine>);
  }
};

NODE_API_ADDON(Addon)

}  // namespace nibble
