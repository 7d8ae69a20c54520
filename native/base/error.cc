#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace nibble {
namespace {

struct ErrnoName {
  int value;
  const char* name;
};

// The ones that reading and writing files give; the rest are shown by number.
constexpr ErrnoName kErrnoNames[] = {{ENOENT, "ENOENT"}, {EACCES, "EACCES"}, {EPERM, "EPERM"},
                                     {EISDIR, "EISDIR"}, {ENOSPC, "ENOSPC"}, {EIO, "EIO"},
                                     {EROFS, "EROFS"},   {EFBIG, "EFBIG"},   {EMFILE, "EMFILE"},
                                     {ENOMEM, "ENOMEM"}, {EINVAL, "EINVAL"}, {EBADF, "EBADF"}};

std::string name_of(int system_errno) {
  for (const ErrnoName& row : kErrnoNames) {
    if (row.value == system_errno) return row.name;
  }
  return "E" + std::to_string(system_errno);
}

}  // namespace

Error Error::io(const std::string& path, const std::string& doing, int system_errno) {
  const std::string name = name_of(system_errno);
  Error error(ErrorCode::kIo,
              path + ": cannot " + doing + ": " + std::strerror(system_errno) + " (" + name + ")");
  error.path = path;
  error.errno_name = name;
  return error;
}

Error Error::truncated(const std::string& path, int64_t offset) {
  Error error(ErrorCode::kFormat, path + ": ends at byte " + std::to_string(offset) +
                                      ", before the data that its header promises; fetch it again");
  error.path = path;
  error.offset = offset;
  return error;
}

}  // namespace nibble
