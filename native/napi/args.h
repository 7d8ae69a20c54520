#pragma once

#include <napi.h>

#include <string>

#include "formats/formats.h"
#include "stream/tasks.h"

// JS values to ours, on the JS thread. A value of the wrong type is a bug of the caller
// (TypeError), never a user's input: options are validated in TypeScript.
namespace nibble {

const Format& format_arg(const Napi::Value& id);
StreamOptions stream_options_arg(const Napi::Value& value);

}  // namespace nibble
