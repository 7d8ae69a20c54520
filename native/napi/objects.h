#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

// Properties of JS objects, each of the type that it has to be (TypeError).
namespace nibble {

[[noreturn]] inline void type_error(Napi::Env env, const std::string& expected) {
  throw Napi::TypeError::New(env, "expected " + expected);
}

inline int64_t integer(const Napi::Object& object, const char* key) {
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

inline std::string string(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsString()) type_error(object.Env(), std::string(key) + " to be a string");
  return value.As<Napi::String>().Utf8Value();
}

inline Napi::Object object_of(const Napi::Value& value, const char* what) {
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

inline bool boolean(const Napi::Object& object, const char* key) {
  return object.Get(key).ToBoolean().Value();
}

}  // namespace nibble
