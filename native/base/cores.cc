#include "base/cores.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace nibble {
namespace {

#ifdef __linux__

// Reads up to two numbers from a file of the cgroup; "max" counts as none. How many were there.
int read_numbers(const char* path, double out[2]) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return 0;
  const int n = std::fscanf(file, "%lf %lf", &out[0], &out[1]);
  std::fclose(file);
  return std::max(n, 0);
}

// Cores' worth of time per period, or 0 without a limit. Containers see their own cgroup at these
// paths.
double cgroup_quota() {
  double v[2];
  if (read_numbers("/sys/fs/cgroup/cpu.max", v) == 2 && v[1] > 0) return v[0] / v[1];
  double quota[2];
  double period[2];
  if (read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota) >= 1 && quota[0] > 0 &&
      read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period) >= 1 && period[0] > 0) {
    return quota[0] / period[0];
  }
  return 0;
}

int affinity() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

#else

double cgroup_quota() { return 0; }
int affinity() { return 0; }

#endif

}  // namespace

int available_cores() {
  int cores = affinity();
  if (cores <= 0) cores = static_cast<int>(std::thread::hardware_concurrency());
  const double quota = cgroup_quota();
  if (quota > 0) cores = std::min(cores, static_cast<int>(std::ceil(quota)));
  return std::max(cores, 1);
}

}  // namespace nibble
