#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

// The one exception of native code. Inputs are validated before they come here, so what remains is
// the operating system's word, a file that changed, and the caller's wish to stop.
namespace nibble {

enum class ErrorCode { kArgument, kFormat, kUnsupported, kIo, kAborted, kInternal };

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code(code) {}

  // The operating system refused: `doing` is "read", "write" ...
  static Error io(const std::string& path, const std::string& doing, int system_errno);
  // A file is shorter than its header says; `offset` is where it ends.
  static Error truncated(const std::string& path, int64_t offset);

  ErrorCode code;
  std::string path;        // kIo, kFormat: the file
  std::string errno_name;  // kIo: "ENOSPC"
  int64_t offset = -1;     // kFormat: where in the file
  std::string option;      // kArgument
};

}  // namespace nibble
