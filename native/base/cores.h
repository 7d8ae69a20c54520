#pragma once

// How many cores this process may use: its affinity and, on Linux, its cgroup's quota (rounded up).
// At least 1.
namespace nibble {

int available_cores();

}  // namespace nibble
