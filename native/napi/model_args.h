#pragma once

#include <napi.h>

#include <vector>

#include "model/context.h"

// The arguments of models and contexts; src/native/binding.ts has the types.
namespace nibble {

int64_t integer_arg(const Napi::Value& value);
// An Int32Array.
std::vector<int32_t> tokens_arg(const Napi::Value& value);
ModelConfig model_config_arg(const Napi::Object& options);
ModelFiles model_files_arg(const Napi::Object& options);
ContextOptions context_options_arg(const Napi::Value& value);

}  // namespace nibble
