#pragma once

#include <napi.h>

#include "stream/tasks.h"

namespace nibble {

// Rows of an encoded matrix, and how many of them.
struct EncodedPiece {
  EncodedRows rows;
  int64_t count;
};

// The encoding of a piece of `task`, whose type and row length are known: every grid is as long as
// its shape says, and they fit each other (TypeError).
EncodedPiece encoded_rows_arg(const Napi::Object& object, const Task& task);

}  // namespace nibble
